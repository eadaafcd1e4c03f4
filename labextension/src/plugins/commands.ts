import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  InputDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import {
  ITranslator,
  TranslationBundle,
  nullTranslator
} from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import {
  ReadonlyJSONObject,
  ReadonlyPartialJSONObject
} from '@lumino/coreutils';

import { messageOf } from '../api/errors';
import { LoadOptions } from '../api/types';
import { ILmnb, Lmnb } from '../state/lmnb';
import { CommandIDs, PACKAGE } from './ids';

type Args = ReadonlyPartialJSONObject;

/** What can be asked for by name, with arguments or a question. */
export const commands: JupyterFrontEndPlugin<void> = {
  id: `${PACKAGE}:commands`,
  description: 'Load, unload, download, and start the server by command.',
  autoStart: true,
  requires: [ILmnb],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    lmnb: Lmnb,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load('lmnb');
    for (const [id, options] of Object.entries(offers(app, lmnb, trans))) {
      app.commands.addCommand(id, {
        ...options,
        describedBy: options.describedBy ?? {},
        execute: async args => {
          try {
            return await options.execute(args);
          } catch (error) {
            await showErrorMessage(trans.__('Local models'), messageOf(error));
            return null;
          }
        }
      });
      palette?.addItem({ command: id, category: trans.__('Local Models') });
    }
    const changed = (): void => app.commands.notifyCommandChanged();
    lmnb.models.list.changed.connect(changed);
    lmnb.listener.state.changed.connect(changed);
  }
};

function offers(
  app: JupyterFrontEnd,
  lmnb: Lmnb,
  trans: TranslationBundle
): Record<string, CommandRegistry.ICommandOptions> {
  const { models, downloads, listener } = lmnb;
  const choose = (title: string, items: string[]): Promise<string | null> =>
    InputDialog.getItem({ title, items, label: trans.__('Model') }).then(
      result => result.value
    );
  const keys = async (): Promise<string[]> => {
    await models.refresh();
    return (models.list.value ?? []).map(model => model.key);
  };
  return {
    [CommandIDs.load]: {
      label: trans.__('Load Model …'),
      describedBy: describe({
        model: { type: 'string' },
        options: { type: 'object' }
      }),
      execute: async args => {
        const model =
          text(args, 'model') ??
          (await choose(trans.__('Load a model'), await keys()));
        if (!model) {
          return null;
        }
        void app.commands.execute(CommandIDs.open, { tab: 'models' });
        return models.load(model, (args.options ?? {}) as LoadOptions);
      }
    },
    [CommandIDs.unload]: {
      label: trans.__('Unload Model …'),
      describedBy: describe({ instance: { type: 'string' } }),
      isEnabled: () => models.loaded().length > 0,
      execute: async args => {
        const ids = models.loaded().map(one => one.instance.id);
        const instance =
          text(args, 'instance') ??
          (ids.length > 1
            ? await choose(trans.__('Unload a model'), ids)
            : ids[0]);
        return instance ? models.unload(instance) : null;
      }
    },
    [CommandIDs.download]: {
      label: trans.__('Download Model …'),
      describedBy: describe({
        model: { type: 'string' },
        quantization: { type: 'string' }
      }),
      execute: async args => {
        const model =
          text(args, 'model') ??
          (
            await InputDialog.getText({
              title: trans.__('Download a model'),
              label: trans.__('A name, owner/repository, or an address'),
              placeholder: trans.__('owner/repository@q4_k_m')
            })
          ).value;
        if (!model) {
          return null;
        }
        const job = await downloads.start(model, text(args, 'quantization'));
        void app.commands.execute(CommandIDs.open, { tab: 'downloads' });
        return job.job_id ?? null;
      }
    },
    [CommandIDs.startServer]: {
      label: trans.__('Start Model Server'),
      describedBy: describe({
        port: { type: 'integer' },
        cors: { type: 'boolean' },
        requireKey: { type: 'boolean' }
      }),
      isEnabled: () => !listener.state.value?.running,
      execute: async args => {
        const port = typeof args.port === 'number' ? args.port : 1234;
        await listener.start(
          port,
          args.cors === true,
          args.requireKey === true
        );
        void app.commands.execute(CommandIDs.open, { tab: 'server' });
      }
    },
    [CommandIDs.stopServer]: {
      label: trans.__('Stop Model Server'),
      describedBy: describe({}),
      isEnabled: () => listener.state.value?.running ?? false,
      execute: () => listener.stop()
    }
  };
}

function describe(
  properties: ReadonlyJSONObject
): CommandRegistry.ICommandOptions['describedBy'] {
  return { args: { type: 'object', properties } };
}

function text(args: Args, name: string): string | null {
  const value = args[name];
  return typeof value === 'string' && value ? value : null;
}
