import React, { ReactNode, useId } from 'react';

/** A control with its label. `children` gets the id that ties them. */
export function Field(props: {
  label: string;
  children: (id: string) => ReactNode;
}): JSX.Element {
  const id = useId();
  return (
    <div className="jp-lmnb-field">
      <label htmlFor={id}>{props.label}</label>
      {props.children(id)}
    </div>
  );
}

/** A yes or no. */
export function Check(props: {
  label: string;
  checked: boolean;
  change: (checked: boolean) => void;
}): JSX.Element {
  const id = useId();
  return (
    <div className="jp-lmnb-check">
      <input
        id={id}
        type="checkbox"
        checked={props.checked}
        onChange={event => props.change(event.target.checked)}
      />
      <label htmlFor={id}>{props.label}</label>
    </div>
  );
}
