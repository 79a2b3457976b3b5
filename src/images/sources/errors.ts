import {EnvsError, ExitCode} from '../../errors.js'

/** A listing without its signature: nothing it says can be believed. */
export class UnsignedListingError extends EnvsError {
  constructor(listing: string, signature: string) {
    super(`${listing} has no signature: there is no ${signature} beside it.`, {
      code: 'ENVS_UNSIGNED_LISTING',
      exitCode: ExitCode.integrity,
      suggestions: ['Use a mirror that carries the signatures too, or the publisher itself.'],
    })
  }
}

/** A signed listing is of an older build than the index says there is. */
export class ReplayedListingError extends EnvsError {
  constructor(listing: string, {signedAt, serial}: {signedAt: Date; serial: string}) {
    super(
      `${listing} was signed on ${signedAt.toISOString()}, before the build ${serial} it is served for.`,
      {
        code: 'ENVS_REPLAYED_LISTING',
        exitCode: ExitCode.integrity,
        suggestions: [
          'Use another mirror, or the publisher itself: this one serves an old build as a new one.',
        ],
      },
    )
  }
}

/** A listing that verifies does not hold what an image is claimed to be. */
export class NotInListingError extends EnvsError {
  constructor(file: string, listing: string) {
    super(`${listing} does not list ${file} with the digest it has here.`, {
      code: 'ENVS_NOT_IN_LISTING',
      exitCode: ExitCode.integrity,
      suggestions: ['Remove the image and fetch it again: envs image rm, then envs image pull.'],
    })
  }
}

/** Nothing says which keys sign for it: it was stored by another version of envs. */
export class UnknownSourceError extends EnvsError {
  constructor(source: string) {
    super(`The signature can't be checked: this version of envs knows no source ${source}.`, {
      code: 'ENVS_UNKNOWN_SOURCE',
      exitCode: ExitCode.integrity,
      suggestions: ['Remove the image and fetch it again: envs image rm, then envs image pull.'],
    })
  }
}

/** Every source that could have it answered, and none has. */
export class ImageNotPublishedError extends EnvsError {
  constructor(
    name: string,
    {
      architecture,
      asked,
      suggestions,
    }: {architecture: string; asked: readonly string[]; suggestions: readonly string[]},
  ) {
    const where = asked.length === 0 ? 'no source of envs has such images' : `looked at ${asked.join(', ')}`
    super(`${name} is not published for ${architecture}: ${where}.`, {
      code: 'ENVS_IMAGE_NOT_PUBLISHED',
      exitCode: ExitCode.notFound,
      suggestions,
    })
  }
}

/** No source that could have it could be asked. */
export class SourcesUnreachableError extends EnvsError {
  constructor(
    name: string,
    readonly failures: readonly {readonly source: string; readonly mirror: string; readonly reason: string}[],
    {suggestions, cause}: {suggestions: readonly string[]; cause: unknown},
  ) {
    const tried = failures.map(({mirror, reason}) => `${mirror} (${reason})`).join('; ')
    super(`${name} can't be looked up: ${tried}.`, {
      code: 'ENVS_SOURCES_UNREACHABLE',
      exitCode: ExitCode.network,
      suggestions: [
        ...suggestions,
        'An image that was fetched before needs no network: envs image list',
        'A rootfs archive that you have does not either: envs create ./rootfs.tar.gz',
      ],
      cause,
    })
  }
}
