import React, { useState } from 'react';

import { IDownload } from '../api/types';
import { isOngoing, secondsLeft, shareOf } from '../state/downloads';
import { bytes, duration } from '../state/format';
import { useObservable, usePanel } from './context';
import { Button } from './parts/button';
import { Failure } from './parts/failure';
import { Progress } from './parts/progress';

/** What is on its way, and what was. */
export function Downloads(): JSX.Element {
  const { lmnb, trans } = usePanel();
  const downloads = useObservable(lmnb.downloads.list);
  if (downloads.length === 0) {
    return (
      <p className="jp-lmnb-hint">
        {trans.__('Nothing is being downloaded. Models are under “Discover”.')}
      </p>
    );
  }
  const sorted = [...downloads].sort(
    (one, other) => Number(isOngoing(other)) - Number(isOngoing(one))
  );
  return (
    <ul className="jp-lmnb-list" aria-label={trans.__('Downloads')}>
      {sorted.map(download => (
        <Row key={download.job_id} download={download} />
      ))}
    </ul>
  );
}

function Row(props: { download: IDownload }): JSX.Element {
  const { lmnb, tab, trans } = usePanel();
  const { download } = props;
  const [failure, setFailure] = useState<string | null>(null);
  const { job_id: job = '', state, model, key } = download;
  const name = [model ?? job, download.quantization]
    .filter(Boolean)
    .join(' @ ');
  const button = (
    label: string,
    verb: 'pause' | 'resume' | 'cancel'
  ): JSX.Element => (
    <Button
      label={label}
      about={name}
      action={() => lmnb.downloads.steer(job, verb)}
      failed={setFailure}
    />
  );
  return (
    <li className="jp-lmnb-row">
      <div className="jp-lmnb-name">{name}</div>
      <Progress label={name} share={shareOf(download)} />
      <div className="jp-lmnb-facts" role="status">
        <Facts of={download} />
      </div>
      <Failure message={failure ?? reasonOf(download)} />
      <div className="jp-lmnb-actions">
        {state !== 'paused' &&
          isOngoing(download) &&
          button(trans.__('Pause'), 'pause')}
        {state === 'paused' && button(trans.__('Resume'), 'resume')}
        {isOngoing(download) && button(trans.__('Cancel'), 'cancel')}
        {state === 'failed' && button(trans.__('Retry'), 'resume')}
        {state === 'completed' && key && (
          <Button
            label={trans.__('Load')}
            about={key}
            kind="primary"
            action={() => {
              tab.set('models');
              return lmnb.models.load(key);
            }}
          />
        )}
      </div>
    </li>
  );
}

function Facts(props: { of: IDownload }): JSX.Element {
  const { trans } = usePanel();
  const { state, downloaded_bytes, total_size_bytes, bytes_per_second } =
    props.of;
  const words: Record<string, string> = {
    queued: trans.__('waiting'),
    paused: trans.__('paused'),
    completed: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  const left = secondsLeft(props.of);
  const running = state === 'downloading';
  const facts = [
    words[state],
    state === 'completed'
      ? bytes(total_size_bytes)
      : trans.__(
          '%1 of %2',
          bytes(downloaded_bytes ?? 0),
          bytes(total_size_bytes)
        ),
    running && bytes_per_second && trans.__('%1/s', bytes(bytes_per_second)),
    running && left !== null && trans.__('%1 left', duration(left))
  ];
  return <>{facts.filter(Boolean).join(' · ')}</>;
}

/** Why it failed, or why nothing comes at the moment. */
function reasonOf({ error, problem }: IDownload): string | null {
  return error?.message ?? problem ?? null;
}
