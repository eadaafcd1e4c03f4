import React from 'react';

import { Field } from './field';

/** A number by slider or by typing it. */
export function Slider(props: {
  label: string;
  value: number;
  least: number;
  most: number;
  step?: number;
  change: (value: number) => void;
}): JSX.Element {
  const { label, value, least, most, step = 1, change } = props;
  const bounds = { min: least, max: most, step };
  const take = (text: string): void => {
    const number = Number(text);
    if (text !== '' && Number.isFinite(number)) {
      change(Math.min(most, Math.max(least, number)));
    }
  };
  return (
    <Field label={label}>
      {id => (
        <div className="jp-lmnb-slider">
          <input
            id={id}
            type="range"
            {...bounds}
            value={value}
            onChange={event => take(event.target.value)}
          />
          <input
            type="number"
            aria-label={label}
            {...bounds}
            step={step < 1 ? step : 1}
            value={value}
            onChange={event => take(event.target.value)}
          />
        </div>
      )}
    </Field>
  );
}
