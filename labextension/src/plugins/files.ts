import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { showErrorMessage } from '@jupyterlab/apputils';
import { PageConfig, PathExt } from '@jupyterlab/coreutils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { messageOf } from '../api/errors';
import { lmnbIcon } from '../icons';
import { ILmnb, Lmnb } from '../state/lmnb';
import { CommandIDs, PACKAGE } from './ids';
import { ModelFileFactory, ModelFileView } from './modelfile';

/**
 * Model files in the file browser: an icon, "Load with lmnb", and a card that a double click opens.
 *
 * Without the card JupyterLab would open its text editor, for which the server reads the whole file.
 */
export const files: JupyterFrontEndPlugin<void> = {
  id: `${PACKAGE}:files`,
  description: 'An icon for .gguf files, and “Load with lmnb” in their menu.',
  autoStart: true,
  requires: [ILmnb],
  optional: [IFileBrowserFactory, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    lmnb: Lmnb,
    browsers: IFileBrowserFactory | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('lmnb');
    app.docRegistry.addFileType({
      name: 'gguf',
      displayName: trans.__('Language model (GGUF)'),
      extensions: ['.gguf'],
      fileFormat: 'base64',
      contentType: 'file',
      icon: lmnbIcon
    });
    const load = (path: string): Promise<unknown> =>
      app.commands.execute(CommandIDs.loadFile, { path });
    app.docRegistry.addModelFactory(new ModelFileFactory());
    app.docRegistry.addWidgetFactory(new ModelFileView(trans, load));
    const selected = (): string | null =>
      browsers?.tracker.currentWidget?.selectedItems().next().value?.path ??
      null;
    app.commands.addCommand(CommandIDs.loadFile, {
      label: trans.__('Load with lmnb'),
      icon: lmnbIcon,
      describedBy: {
        args: { type: 'object', properties: { path: { type: 'string' } } }
      },
      execute: async args => {
        const path = typeof args.path === 'string' ? args.path : selected();
        if (path === null) {
          return null;
        }
        try {
          const model = await find(lmnb, onDisk(path));
          void app.commands.execute(CommandIDs.open, { tab: 'models' });
          return await lmnb.models.load(model);
        } catch (error) {
          await showErrorMessage(PathExt.basename(path), messageOf(error));
          return null;
        }
      }
    });
  }
};

/** Where a file of the file browser is on the server's disk. */
function onDisk(path: string): string {
  const root = PageConfig.getOption('serverRoot').replace(/[\\/]$/, '');
  return `${root}/${path}`;
}

/** The model's key. A file that is not among the models yet is linked there. */
async function find(lmnb: Lmnb, path: string): Promise<string> {
  await lmnb.models.refresh();
  const known = lmnb.models.list.value?.find(model => model.path === path);
  return known?.key ?? (await lmnb.client.importFile(path)).key;
}
