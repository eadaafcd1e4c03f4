import { launchIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { IFound, IVariant } from '../../api/types';
import { isOngoing } from '../../state/downloads';
import { bytes, count } from '../../state/format';
import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Failure } from '../parts/failure';
import { FitBadge } from './fit';

/** A repository: what it holds, and which of its files to take. */
export function FoundRow(props: { found: IFound }): JSX.Element {
  const { lmnb, trans } = usePanel();
  const { found } = props;
  const [chosen, choose] = useState(
    found.recommended ?? found.variants[0]?.quantization ?? null
  );
  const [failure, setFailure] = useState<string | null>(null);
  const downloads = useObservable(lmnb.downloads.list);
  const variant = found.variants.find(one => one.quantization === chosen);
  const jobs = downloads.filter(
    one => one.repository === found.id && (one.quantization || null) === chosen
  );
  const underway = jobs.some(isOngoing);
  const here =
    variant?.downloaded || jobs.some(one => one.state === 'completed');
  const facts = [
    found.params_string,
    found.downloads !== null &&
      trans.__('%1 downloads', count(found.downloads)),
    found.likes !== null && trans.__('%1 likes', count(found.likes)),
    found.license
  ];
  return (
    <li className="jp-lmnb-row">
      <div className="jp-lmnb-rowhead">
        <span className="jp-lmnb-name">{found.id}</span>
        <a
          href={found.url}
          target="_blank"
          rel="noreferrer"
          title={trans.__('README of %1', found.id)}
          aria-label={trans.__('README of %1', found.id)}
        >
          <launchIcon.react tag="span" height={14} width={14} />
        </a>
      </div>
      <div className="jp-lmnb-facts">
        {facts.filter(Boolean).join(' · ')}
        {found.gated && (
          <span className="jp-lmnb-badge">{trans.__('licence to accept')}</span>
        )}
      </div>
      {found.variants.length === 0 ? (
        <p className="jp-lmnb-hint">
          {trans.__('There is no GGUF file in it.')}
        </p>
      ) : (
        <div className="jp-lmnb-actions">
          <select
            className="jp-lmnb-input"
            aria-label={trans.__('Quantisation of %1', found.id)}
            value={chosen ?? ''}
            onChange={event => choose(event.target.value)}
          >
            {found.variants.map(one => (
              <option key={one.quantization} value={one.quantization ?? ''}>
                {nameOf(one, trans.__('recommended'))}
              </option>
            ))}
          </select>
          <FitBadge fit={variant?.fit ?? null} />
          <Button
            label={
              here
                ? trans.__('Downloaded')
                : underway
                  ? trans.__('Downloading …')
                  : trans.__('Download')
            }
            about={found.id}
            kind="primary"
            disabled={!variant || here || underway}
            action={() => lmnb.downloads.start(found.id, chosen)}
            failed={setFailure}
          />
        </div>
      )}
      <Failure message={failure} />
    </li>
  );
}

function nameOf(variant: IVariant, recommended: string): string {
  const star = variant.recommended ? ` (${recommended})` : '';
  return `${variant.quantization ?? '?'} · ${bytes(variant.size_bytes)}${star}`;
}
