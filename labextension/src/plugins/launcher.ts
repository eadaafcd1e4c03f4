import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import {
  ITranslator,
  TranslationBundle,
  nullTranslator
} from '@jupyterlab/translation';

import { lmnbIcon } from '../icons';
import { CommandIDs, PACKAGE } from './ids';

/** A notebook that shows how to ask a model, from the launcher. */
export const launcher: JupyterFrontEndPlugin<void> = {
  id: `${PACKAGE}:launcher`,
  description: 'A launcher card for a first notebook with a local model.',
  autoStart: true,
  optional: [ILauncher, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('lmnb');
    const { contents, kernelspecs } = app.serviceManager;
    app.commands.addCommand(CommandIDs.quickStart, {
      label: trans.__('Local Model'),
      caption: trans.__('A notebook that asks a local language model'),
      icon: lmnbIcon,
      describedBy: {
        args: { type: 'object', properties: { cwd: { type: 'string' } } }
      },
      execute: async args => {
        const path = typeof args.cwd === 'string' ? args.cwd : '';
        await kernelspecs.ready;
        const { path: file } = await contents.newUntitled({
          path,
          type: 'notebook'
        });
        await contents.save(file, {
          type: 'notebook',
          format: 'json',
          content: notebook(trans, kernelspecs.specs?.default ?? 'python3')
        });
        return app.commands.execute('docmanager:open', { path: file });
      }
    });
    const category = trans.__('Local Models');
    launcher?.add({
      command: CommandIDs.quickStart,
      category: trans.__('Other'),
      rank: 10
    });
    palette?.addItem({ command: CommandIDs.quickStart, category });
  }
};

function notebook(trans: TranslationBundle, kernel: string): object {
  const code = (id: string, source: string): object => ({
    cell_type: 'code',
    execution_count: null,
    id,
    metadata: {},
    outputs: [],
    source
  });
  const welcome = trans.__(
    'Run the cells: the first shows which models are on this machine, the second asks one of them.'
  );
  return {
    cells: [
      { cell_type: 'markdown', id: 'welcome', metadata: {}, source: welcome },
      code('models', '%load_ext lmnb\n%lms ls'),
      code(
        'question',
        `%%lms\n${trans.__('Explain in two sentences what a notebook kernel is.')}`
      )
    ],
    metadata: { kernelspec: { name: kernel, display_name: kernel } },
    nbformat: 4,
    nbformat_minor: 5
  };
}
