import React, { useEffect, useState } from 'react';

import { Log, LogSource, lineOf } from '../../state/log';
import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Failure } from '../parts/failure';
import { Check } from '../parts/field';
import { Words } from '../parts/words';

const SOURCES: LogSource[] = ['server', 'model', 'runtime'];

/** What happens in the server, while this is open. */
export function LogView(): JSX.Element {
  const { trans } = usePanel();
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('Log')}</summary>
      {open && <Lines />}
    </details>
  );
}

function Lines(): JSX.Element {
  const { lmnb, trans } = usePanel();
  const [log] = useState(() => new Log(lmnb.connection));
  const entries = useObservable(log.entries);
  const error = useObservable(log.error);
  const [words, setWords] = useState('');
  const [sources, setSources] = useState<readonly LogSource[]>(SOURCES);
  useEffect(() => {
    log.open(sources);
    return () => log.close();
  }, [log, sources]);
  const names = {
    server: trans.__('Server'),
    model: trans.__('Models'),
    runtime: trans.__('llama.cpp')
  };
  const lines = entries
    .map(lineOf)
    .filter(line => line.toLowerCase().includes(words.toLowerCase()));
  return (
    <>
      <div className="jp-lmnb-actions">
        {SOURCES.map(source => (
          <Check
            key={source}
            label={names[source]}
            checked={sources.includes(source)}
            change={on =>
              setSources(
                SOURCES.filter(one =>
                  one === source ? on : sources.includes(one)
                )
              )
            }
          />
        ))}
      </div>
      <div className="jp-lmnb-actions">
        <Words
          search
          label={trans.__('Filter the log')}
          placeholder={trans.__('Filter')}
          value={words}
          change={setWords}
        />
        <Button
          label={trans.__('Clear')}
          about={trans.__('Log')}
          action={() => log.clear()}
        />
      </div>
      <Failure message={error} />
      <pre
        className="jp-lmnb-log"
        role="log"
        tabIndex={0}
        aria-label={trans.__('Log')}
      >
        {lines.join('\n')}
      </pre>
    </>
  );
}
