import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICell } from '@jupyterlab/nbformat';
import { INotebookTracker } from '@jupyterlab/notebook';

import { PACKAGE } from './ids';

/**
 * Puts cells into a notebook for a widget in it, which cannot reach the notebook itself.
 *
 * `lmnb.Chat()` dispatches the event; that its default is prevented says that it was heard.
 */
export const insertCells: JupyterFrontEndPlugin<void> = {
  id: `${PACKAGE}:insert-cells`,
  description: 'Puts the conversation of a chat widget into cells below it.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_: JupyterFrontEnd, notebooks: INotebookTracker) => {
    document.addEventListener('lmnb:insert-cells', event => {
      const { detail, target } = event as CustomEvent<{ cells: ICell[] }>;
      const panel = notebooks.find(one => one.node.contains(target as Node));
      const model = panel?.content.model;
      if (panel && model) {
        const at = panel.content.widgets.findIndex(cell =>
          cell.node.contains(target as Node)
        );
        model.sharedModel.insertCells(at + 1, detail.cells);
        event.preventDefault();
      }
    });
  }
};
