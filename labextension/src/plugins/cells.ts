import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  InputDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { Cell, CodeCell } from '@jupyterlab/cells';
import { isError } from '@jupyterlab/nbformat';
import {
  INotebookTracker,
  NotebookActions,
  NotebookPanel
} from '@jupyterlab/notebook';
import {
  ITranslator,
  TranslationBundle,
  nullTranslator
} from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';

import { lmnbIcon } from '../icons';
import { Models } from '../state/models';
import { ICellError, ask, explain } from '../state/questions';
import { ILmnb, Lmnb } from '../state/lmnb';
import { CommandIDs, PACKAGE } from './ids';

/**
 * "Explain this error" and "Ask about this cell" on a cell's toolbar.
 *
 * Both put a `%%lms` cell below and run it, so that the notebook keeps the question and the answer.
 */
export const cells: JupyterFrontEndPlugin<void> = {
  id: `${PACKAGE}:cells`,
  description: 'Asks a model about a cell, or about its error.',
  autoStart: true,
  requires: [ILmnb, INotebookTracker],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    lmnb: Lmnb,
    notebooks: INotebookTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load('lmnb');
    const category = trans.__('Local Models');
    app.commands.addCommand(CommandIDs.explainError, {
      label: trans.__('Explain This Error'),
      caption: trans.__('Ask a local model what went wrong in this cell'),
      icon: explainIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      isVisible: () => errorOf(notebooks.activeCell) !== null,
      isEnabled: () => errorOf(notebooks.activeCell) !== null,
      execute: async () => {
        const { currentWidget: panel, activeCell: cell } = notebooks;
        const error = errorOf(cell);
        const model = error && (await chooseModel(lmnb.models, trans));
        if (panel && cell && error && model) {
          const wish = trans.__(
            'This Python cell of a notebook failed. Say in one or two sentences what went wrong, then give the whole corrected cell.'
          );
          await run(panel, explain(model, sourceOf(cell), error, wish));
        }
      }
    });
    app.commands.addCommand(CommandIDs.askAboutCell, {
      label: trans.__('Ask about This Cell …'),
      caption: trans.__('Ask a local model about this cell'),
      icon: lmnbIcon,
      describedBy: {
        args: { type: 'object', properties: { question: { type: 'string' } } }
      },
      isEnabled: () => notebooks.activeCell !== null,
      execute: async args => {
        const { currentWidget: panel, activeCell: cell } = notebooks;
        if (!panel || !cell) {
          return;
        }
        const question =
          typeof args.question === 'string'
            ? args.question
            : (
                await InputDialog.getText({
                  title: trans.__('Ask about this cell'),
                  text: trans.__('Explain this cell.'),
                  label: trans.__('Question'),
                  okLabel: trans.__('Ask')
                })
              ).value;
        const model = question && (await chooseModel(lmnb.models, trans));
        if (question && model) {
          const language =
            cell.model.type === 'code'
              ? (panel.sessionContext.kernelPreference.language ?? 'python')
              : 'markdown';
          await run(panel, ask(model, sourceOf(cell), language, question));
        }
      }
    });
    for (const command of [CommandIDs.explainError, CommandIDs.askAboutCell]) {
      palette?.addItem({ command, category });
    }
    // The buttons look again when the cell has run.
    NotebookActions.executed.connect(() => {
      app.commands.notifyCommandChanged(CommandIDs.explainError);
    });
    notebooks.activeCellChanged.connect(() => {
      app.commands.notifyCommandChanged(CommandIDs.explainError);
    });
  }
};

/** The one that is loaded, or the only one there is; else somebody has to say. */
async function chooseModel(
  models: Models,
  trans: TranslationBundle
): Promise<string | null> {
  await models.refresh();
  const usable = (models.list.value ?? []).filter(one => one.type === 'llm');
  const loaded = usable.flatMap(one =>
    one.loaded_instances.map(({ id }) => id)
  );
  const items = loaded.length ? loaded : usable.map(one => one.key);
  if (items.length < 2) {
    return items[0] ?? (await noModel(trans));
  }
  const title = trans.__('Which model?');
  const label = trans.__('Model');
  return (await InputDialog.getItem({ title, items, label })).value;
}

async function noModel(trans: TranslationBundle): Promise<null> {
  await showErrorMessage(
    trans.__('No model'),
    trans.__(
      'There is no language model on this machine. Find one under “Discover”.'
    )
  );
  return null;
}

/** The first error among a cell's outputs. */
function errorOf(cell: Cell | null): ICellError | null {
  if (!(cell instanceof CodeCell)) {
    return null;
  }
  for (const output of cell.model.sharedModel.getOutputs()) {
    if (isError(output)) {
      return output;
    }
  }
  return null;
}

function sourceOf(cell: Cell): string {
  return cell.model.sharedModel.getSource();
}

/** A new cell below the active one, run in a kernel that knows `%%lms`. */
async function run(panel: NotebookPanel, source: string): Promise<void> {
  const { content: notebook, sessionContext: session } = panel;
  await session.session?.kernel?.requestExecute({
    code: '%load_ext lmnb',
    silent: true,
    store_history: false
  }).done;
  NotebookActions.insertBelow(notebook);
  notebook.activeCell?.model.sharedModel.setSource(source);
  await NotebookActions.run(notebook, session);
}

const explainIcon = new LabIcon({
  name: 'lmnb:explain',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <path class="jp-icon3" fill="#616161" fill-rule="evenodd" d="M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20zm0 1.700a8.300 8.300 0 1 0 0 16.600 8.300 8.300 0 0 0 0-16.600zM11 16h2v2h-2zm1-10a3.500 3.500 0 0 1 3.500 3.500c0 2.200-2.600 2.500-2.600 5h-1.800c0-3.300 2.600-3.500 2.600-5a1.700 1.700 0 0 0-3.400 0H8.500A3.500 3.500 0 0 1 12 6z"/>
</svg>`
});
