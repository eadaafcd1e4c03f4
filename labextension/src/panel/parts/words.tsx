import React from 'react';

/** A line to type into; `search` has the browser's way to empty it. */
export function Words(props: {
  label: string;
  placeholder: string;
  value: string;
  change: (value: string) => void;
  search?: boolean;
}): JSX.Element {
  return (
    <input
      className="jp-lmnb-input"
      type={props.search ? 'search' : 'text'}
      aria-label={props.label}
      placeholder={props.placeholder}
      value={props.value}
      onChange={event => props.change(event.target.value)}
    />
  );
}
