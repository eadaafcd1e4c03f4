import React from 'react';

import { IDevice, IEstimate } from '../../api/types';
import { bytes } from '../../state/format';
import { usePanel } from '../context';
import { FitBadge } from './fit';

const PARTS = ['weights', 'kv_cache', 'compute', 'projector'] as const;

/** What a load would take, device by device. */
export function Memory(props: { estimate: IEstimate }): JSX.Element {
  const { trans } = usePanel();
  const { estimate } = props;
  const { guardrail } = estimate;
  return (
    <div
      className="jp-lmnb-memory"
      role="group"
      aria-label={trans.__('Memory')}
    >
      <div className="jp-lmnb-facts" role="status">
        {trans.__('About %1', bytes(estimate.total_bytes))}{' '}
        <FitBadge fit={estimate.fit} />
      </div>
      {estimate.devices.map(device => (
        <Bar key={device.name} device={device} />
      ))}
      {!guardrail.allowed && guardrail.reason && (
        <p className="jp-lmnb-failure" role="alert">
          {guardrail.reason}
        </p>
      )}
    </div>
  );
}

/** What is in use already, what the load adds, what stays free. */
function Bar(props: { device: IDevice }): JSX.Element {
  const { trans } = usePanel();
  const { device } = props;
  const used = Math.max(0, device.total_bytes - device.free_bytes);
  const names = {
    weights: trans.__('weights'),
    kv_cache: trans.__('context'),
    compute: trans.__('computing'),
    projector: trans.__('pictures')
  };
  const parts = PARTS.map(name => ({
    name,
    size: device[`${name}_bytes`] ?? 0
  })).filter(part => part.size > 0);
  const whole = Math.max(
    device.total_bytes,
    used + device.total_required_bytes
  );
  const width = (size: number): React.CSSProperties => ({
    width: `${(100 * size) / whole}%`
  });
  const told = parts.map(part => `${names[part.name]} ${bytes(part.size)}`);
  return (
    <>
      <div className="jp-lmnb-facts">
        {trans.__(
          '%1: %2 of %3 free',
          device.name,
          bytes(device.free_bytes),
          bytes(device.total_bytes)
        )}
      </div>
      <div
        className="jp-lmnb-bar"
        role="img"
        aria-label={`${device.name}: ${told.join(', ')}`}
      >
        <span className="jp-lmnb-used" style={width(used)} />
        {parts.map(part => (
          <span
            key={part.name}
            className={`jp-lmnb-part-${part.name.replace('_', '-')}`}
            style={width(part.size)}
            title={`${names[part.name]}: ${bytes(part.size)}`}
          />
        ))}
      </div>
      <div className="jp-lmnb-facts">{told.join(' · ')}</div>
    </>
  );
}
