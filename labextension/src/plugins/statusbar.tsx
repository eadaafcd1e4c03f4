import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import {
  ITranslator,
  TranslationBundle,
  nullTranslator
} from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import { lmnbIcon } from '../icons';
import { useObservable } from '../panel/context';
import { bytes, rate } from '../state/format';
import { ILmnb, Lmnb } from '../state/lmnb';
import { CommandIDs, PACKAGE } from './ids';

/** What is loaded, how fast it writes, what it takes. */
export const statusbar: JupyterFrontEndPlugin<void> = {
  id: `${PACKAGE}:statusbar`,
  description: 'Loaded models, their speed and memory in the status bar.',
  autoStart: true,
  requires: [ILmnb],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    lmnb: Lmnb,
    bar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (!bar) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('lmnb');
    const open = (): void => {
      void app.commands.execute(CommandIDs.open, { tab: 'models' });
    };
    const item = ReactWidget.create(
      <Item lmnb={lmnb} trans={trans} open={open} />
    );
    item.addClass('jp-lmnb-status');
    bar.registerStatusItem(`${PACKAGE}:status`, {
      item,
      align: 'left',
      rank: 8
    });
  }
};

function Item(props: {
  lmnb: Lmnb;
  trans: TranslationBundle;
  open: () => void;
}): JSX.Element {
  const { lmnb, trans, open } = props;
  const status = useObservable(lmnb.health.status);
  const lost = useObservable(lmnb.health.lost);
  const loading = useObservable(lmnb.models.loading)[0];
  const loaded = status?.loaded ?? [];
  const speed = lmnb.health.speed.total;
  const memory = loaded.reduce((sum, one) => sum + (one.memory_bytes ?? 0), 0);
  const names =
    loaded.length > 1
      ? trans.__('%1 models', loaded.length)
      : (loaded[0]?.identifier ?? trans.__('No model'));
  const facts =
    lost !== null
      ? [trans.__('lmnb does not answer')]
      : [
          loading
            ? trans.__(
                'Loading %1 …',
                Math.round(100 * loading.progress) + ' %'
              )
            : names,
          speed !== null && trans.__('%1 tokens/s', rate(speed)),
          memory > 0 && bytes(memory)
        ];
  const text = facts.filter(Boolean).join(' · ');
  const about = loaded.map(one => one.identifier).join(', ');
  return (
    <button
      type="button"
      className="jp-lmnb-statusitem"
      title={trans.__('Local models: %1', about || text)}
      onClick={open}
    >
      <lmnbIcon.react tag="span" height={14} width={14} aria-hidden="true" />
      {text}
    </button>
  );
}
