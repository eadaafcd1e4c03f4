/** What the server refused, in its own words. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null = null,
    readonly param: string | null = null
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The error that a response is. Whatever is in between may have written its body. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  return (
    errorIn(text, response.status) ??
    new ApiError(
      response.statusText || `The server answered ${response.status}.`,
      response.status
    )
  );
}

/** The error in a JSON text, if there is one. */
export function errorIn(text: string, status: number): ApiError | null {
  try {
    const { message, code, param } = JSON.parse(text).error;
    return typeof message === 'string'
      ? new ApiError(message, status, code ?? null, param ?? null)
      : null;
  } catch {
    return null;
  }
}

/** What to show of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Did somebody stop it? Then it is no failure. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
