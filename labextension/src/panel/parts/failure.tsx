import React from 'react';

/** What went wrong, in the server's words. */
export function Failure(props: { message: string | null }): JSX.Element | null {
  return props.message === null ? null : (
    <p className="jp-lmnb-failure" role="alert">
      {props.message}
    </p>
  );
}
