import React, { useEffect } from 'react';

import { usePanel } from '../context';
import { Copyable } from '../parts/copy';
import { Keys } from './keys';
import { ListenerControls } from './listener';
import { LogView } from './log';

/** Where programs reach the models, with which keys, and what they do there. */
export function Server(): JSX.Element {
  const { lmnb, trans } = usePanel();
  useEffect(() => {
    lmnb.listener.refresh().catch(() => undefined);
  }, [lmnb]);
  return (
    <>
      <section>
        <h3>{trans.__('In this notebook server')}</h3>
        <Copyable
          label={trans.__('Address in this notebook server')}
          text={new URL(lmnb.connection.url('v1'), location.href).href}
        />
        <p className="jp-lmnb-hint">
          {trans.__('Opens with Jupyter’s token or a key from below.')}
        </p>
      </section>
      <ListenerControls />
      <Keys />
      <LogView />
    </>
  );
}
