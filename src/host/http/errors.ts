import {EnvsError, ExitCode} from '../../errors.js'

type NetworkErrorDetails = {
  readonly suggestions?: readonly string[]
  readonly status?: number | undefined
  readonly cause?: unknown
}

/** A server, or the way to it, failed; what was received so far is kept for the next try. */
export class NetworkError extends EnvsError {
  /** Of the answer, where there was one and it was the failure. */
  readonly status: number | undefined

  constructor(
    readonly host: string,
    /** Half a sentence: what the host did. */
    readonly reason: string,
    {suggestions = [], status, cause}: NetworkErrorDetails = {},
  ) {
    super(`The download from ${host} failed: ${reason}.`, {
      code: 'ENVS_NETWORK',
      exitCode: ExitCode.network,
      suggestions,
      cause,
    })
    this.status = status
  }
}

/** The body is not as long as it must be, or longer than it may be. Never retried, never kept. */
export class UnexpectedSizeError extends EnvsError {
  constructor(
    readonly host: string,
    /** What was announced, or what had come when the limit was passed. */
    readonly actualBytes: number,
    readonly limit: {readonly kind: 'exactly' | 'at most'; readonly bytes: number},
  ) {
    super(`${host} sends ${actualBytes} bytes or more, where ${limit.kind} ${limit.bytes} were expected.`, {
      code: 'ENVS_UNEXPECTED_SIZE',
      exitCode: ExitCode.integrity,
      suggestions: ['Check the URL: the server offers another file than the one asked for.'],
    })
  }
}

/** The file of trusted certificate authorities can't be read. */
export class CertificateFileError extends EnvsError {
  constructor(variable: string, path: string, cause: unknown) {
    super(`The certificate file ${path}, named by ${variable}, can't be read.`, {
      code: 'ENVS_CERTIFICATE_FILE',
      exitCode: ExitCode.host,
      suggestions: [`Set ${variable} to a readable PEM file, or unset it.`],
      cause,
    })
  }
}

/** The disk did not take what was downloaded. */
export class DownloadStorageError extends EnvsError {
  constructor(path: string, reason: string, cause: unknown) {
    super(`The download can't be written to ${path}: ${reason}.`, {
      code: 'ENVS_DOWNLOAD_STORAGE',
      exitCode: ExitCode.storage,
      suggestions: [
        'Make room or see that the folder may be written; the download then goes on where it stopped.',
      ],
      cause,
    })
  }
}
