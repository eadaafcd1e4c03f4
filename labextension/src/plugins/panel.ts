import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { lmnbIcon } from '../icons';
import { Tab } from '../panel/context';
import { PanelWidget } from '../panel/widget';
import { Conversation } from '../state/conversation';
import { ILmnb, Lmnb } from '../state/lmnb';
import { Observable } from '../state/observable';
import { Search } from '../state/search';
import { CommandIDs, PACKAGE } from './ids';

const RANK = 650;

/** Models, downloads, the server and a chat, in the left area. */
export const panel: JupyterFrontEndPlugin<void> = {
  id: `${PACKAGE}:panel`,
  description: 'The panel: models, downloads, server, try it.',
  autoStart: true,
  requires: [ILmnb],
  optional: [
    ITranslator,
    ILayoutRestorer,
    INotebookTracker,
    ICommandPalette,
    IRenderMimeRegistry
  ],
  activate: (
    app: JupyterFrontEnd,
    lmnb: Lmnb,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    notebooks: INotebookTracker | null,
    palette: ICommandPalette | null,
    rendermime: IRenderMimeRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load('lmnb');
    const tab = new Observable<Tab>('models');
    const discovering = new Observable(false);
    const widget = new PanelWidget({
      lmnb,
      trans,
      tab,
      discovering,
      search: new Search(lmnb.client),
      conversation: new Conversation(lmnb.connection),
      rendermime,
      sendToNotebook: notebooks && (source => insertCell(notebooks, source))
    });
    app.shell.add(widget, 'left', { rank: RANK, type: 'lmnb' });
    restorer?.add(widget, widget.id);
    const names: Record<Tab, string> = {
      models: trans.__('Models'),
      downloads: trans.__('Downloads'),
      server: trans.__('Server'),
      chat: trans.__('Try it')
    };
    app.commands.addCommand(CommandIDs.open, {
      label: args => {
        const name = names[args.tab as Tab];
        return name
          ? trans.__('Local Models: %1', name)
          : trans.__('Open Local Models');
      },
      icon: lmnbIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: { tab: { type: 'string', enum: Object.keys(names) } }
        }
      },
      execute: args => {
        if (typeof args.tab === 'string' && args.tab in names) {
          tab.set(args.tab as Tab);
        }
        app.shell.activateById(widget.id);
      }
    });
    for (const name of Object.keys(names)) {
      palette?.addItem({
        command: CommandIDs.open,
        category: trans.__('Local Models'),
        args: { tab: name }
      });
    }
  }
};

/** A new cell below the active one, ready to run; without a notebook nothing happens. */
function insertCell(notebooks: INotebookTracker, source: string): void {
  const current = notebooks.currentWidget;
  if (current) {
    NotebookActions.insertBelow(current.content);
    current.content.activeCell?.model.sharedModel.setSource(source);
    current.content.activate();
  }
}
