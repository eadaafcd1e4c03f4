import React from 'react';

import { Fit } from '../../api/types';
import { usePanel } from '../context';

/** Whether a model fits this machine. */
export function FitBadge(props: { fit: Fit | null }): JSX.Element | null {
  const { trans } = usePanel();
  const words: Record<Fit, string> = {
    full_gpu: trans.__('fits the GPU'),
    partial_gpu: trans.__('partly on the GPU'),
    cpu: trans.__('fits'),
    too_large: trans.__('too large')
  };
  return props.fit ? (
    <span className="jp-lmnb-badge" data-fit={props.fit}>
      {words[props.fit]}
    </span>
  ) : null;
}
