import React, { useState } from 'react';

import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Copyable } from '../parts/copy';
import { Failure } from '../parts/failure';
import { Check, Field } from '../parts/field';

const USUAL_PORT = 1234;

/** The second listener, at LM Studio's address: started and stopped. */
export function ListenerControls(): JSX.Element {
  const { lmnb, trans } = usePanel();
  const state = useObservable(lmnb.listener.state);
  const [port, setPort] = useState(String(USUAL_PORT));
  const [cors, setCors] = useState(false);
  const [requireKey, setRequireKey] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const running = state?.running ?? false;
  return (
    <section>
      <h3>{trans.__('On a port of its own')}</h3>
      {running && state?.base_url ? (
        <>
          <Copyable
            label={trans.__('Address on a port of its own')}
            text={`${state.base_url}v1`}
          />
          <p className="jp-lmnb-hint">
            {state.key_required
              ? trans.__('Every request needs a key.')
              : trans.__('Your own processes need no key.')}
          </p>
        </>
      ) : (
        <>
          <Field label={trans.__('Port')}>
            {id => (
              <input
                id={id}
                className="jp-lmnb-input"
                type="number"
                min={0}
                max={65535}
                value={port}
                onChange={event => setPort(event.target.value)}
              />
            )}
          </Field>
          <Check
            label={trans.__('Every request needs a key')}
            checked={requireKey}
            change={setRequireKey}
          />
          <Check
            label={trans.__('Web pages may call it (CORS)')}
            checked={cors}
            change={setCors}
          />
        </>
      )}
      <div className="jp-lmnb-actions">
        {running ? (
          <Button
            label={trans.__('Stop the server')}
            action={() => lmnb.listener.stop()}
            failed={setFailure}
          />
        ) : (
          <Button
            label={trans.__('Start the server')}
            kind="primary"
            action={() => lmnb.listener.start(Number(port), cors, requireKey)}
            failed={setFailure}
          />
        )}
      </div>
      <Failure message={failure ?? state?.error ?? null} />
    </section>
  );
}
