import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { lmnbIcon } from '../icons';
import { bytes } from '../state/format';
import { ILmnb, Lmnb } from '../state/lmnb';
import { CommandIDs, PACKAGE } from './ids';

/** Loaded models beside kernels and terminals, where people look for what takes memory. */
export const running: JupyterFrontEndPlugin<void> = {
  id: `${PACKAGE}:running`,
  description: 'Loaded models among the running kernels and terminals.',
  autoStart: true,
  requires: [ILmnb],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    lmnb: Lmnb,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('lmnb');
    const { models, health } = lmnb;
    const unload = (id: string): void => {
      models.unload(id).catch(() => models.refresh());
    };
    const memory = (id: string): string =>
      bytes(
        health.status.value?.loaded.find(one => one.identifier === id)
          ?.memory_bytes
      );
    managers?.add({
      name: trans.__('Local Models'),
      running: () =>
        models.loaded().map(({ model, instance }) => ({
          label: () => instance.id,
          labelTitle: () => `${model.display_name}\n${model.path}`,
          detail: () => memory(instance.id),
          icon: () => lmnbIcon,
          open: () => void app.commands.execute(CommandIDs.open, {}),
          shutdown: () => unload(instance.id)
        })),
      shutdownAll: () =>
        models.loaded().forEach(one => unload(one.instance.id)),
      refreshRunning: () => {
        models.refresh().catch(() => undefined);
      },
      runningChanged: models.list.changed,
      shutdownLabel: trans.__('Unload'),
      shutdownAllLabel: trans.__('Unload All'),
      shutdownAllConfirmationText: trans.__(
        'Unload all models? Answers that they are writing end.'
      )
    });
  }
};
