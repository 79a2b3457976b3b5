import {defineError, EnvsError, ExitCode} from '../../errors.js'

type NetworkErrorDetails = {
  readonly suggestions?: readonly string[]
  readonly status?: number | undefined
  readonly cause?: unknown
}

/** @public */
export const networkKind = defineError('ENVS_NETWORK', ExitCode.network, {
  message: 'The download from {host} failed: {reason}.',
  nextStep: 'Run the command again: a download continues where it stopped.',
})

/** A server, or the way to it, failed; what was received so far is kept for the next try. */
export class NetworkError extends EnvsError {
  /** Of the answer, where there was one and it was the failure. */
  readonly status: number | undefined

  constructor(
    readonly host: string,
    /** A clause about the host. */
    readonly reason: string,
    {suggestions = [], status, cause}: NetworkErrorDetails = {},
    kind: Pick<typeof networkKind, 'parts'> = networkKind,
  ) {
    super(...kind.parts({host, reason}, {suggestions, cause}))
    this.status = status
  }
}

const offlineKind = defineError('ENVS_OFFLINE', ExitCode.notFound, {
  message: 'Something that {host} has is missing on this host, and {reason}.',
  nextStep: 'Run the command once without --offline where there is a network.',
})

/** A request that --offline forbids: it was not sent. The fallbacks for a server that fails apply here too. */
export class OfflineError extends NetworkError {
  constructor(host: string) {
    super(host, 'no server is asked with --offline', {suggestions: offlineKind.nextSteps}, offlineKind)
  }
}

export class UnexpectedSizeError extends EnvsError {}

/** The body has a wrong length, or exceeds the maximum. Never retried, never kept. */
export const unexpectedSizeError = defineError(
  'ENVS_UNEXPECTED_SIZE',
  ExitCode.integrity,
  {
    message: '{host} sends {actualBytes} bytes or more; {limit} bytes were expected.',
    nextStep: 'Check the URL: the server offers another file than the requested one.',
  },
  UnexpectedSizeError,
)

/** A proxy variable is malformed; its value is not shown, because it may hold a password. */
export const malformedProxyError = defineError('ENVS_USAGE', ExitCode.usage, {
  message: 'The value of the variable {name} is not the URL of a proxy.',
  nextStep: 'Set it to a URL such as http://proxy.example:3128, or unset it.',
})

/** The file of trusted certificate authorities is unreadable. */
export const certificateFileError = defineError('ENVS_CERTIFICATE_FILE', ExitCode.host, {
  message: 'Could not read the certificate file "{path}", which {variable} names.',
  nextStep: 'Set {variable} to a readable PEM file, or unset it.',
})

/** The download could not be written. */
export const downloadStorageError = defineError('ENVS_DOWNLOAD_STORAGE', ExitCode.storage, {
  message: 'Could not write the download to "{path}": {reason}.',
  nextStep: [
    'If the disk is full, free some space: envs prune. Else check the permissions of the folder.',
    'The same command continues the download where it stopped.',
  ],
})
