import React from 'react';

/** How far something is: 0 to 1, or null while nobody knows. */
export function Progress(props: {
  label: string;
  share: number | null;
}): JSX.Element {
  return (
    <progress
      className="jp-lmnb-progress"
      aria-label={props.label}
      {...(props.share !== null && { value: props.share })}
      max={1}
    />
  );
}
