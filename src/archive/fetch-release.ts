import {setTimeout as sleep} from 'node:timers/promises'
import {askSmall, fetchSmall} from '../host/http/fetch-small.js'
import {BadSignatureError, SignatureUnreadableError} from '../signature/errors.js'
import type {TrustedKey} from '../signature/keyring.js'
import {type Verified, verifyCleartext, verifyDetached} from '../signature/verify.js'
import type {ArchiveContext} from './context.js'
import {unsignedReleaseError} from './errors.js'
import {type Place, urlInSuite} from './place.js'
import type {SignedRelease} from './signed-release.js'

/** Ten times what any suite's is. */
const MOST_RELEASE_BYTES = 8 * 2 ** 20
const MOST_SIGNATURE_BYTES = 64 * 1024

export type VerifiedRelease = SignedRelease & {readonly verified: Verified}

type Options = {
  readonly keys: readonly TrustedKey[]
  /** What was verified before, and need not be sent again. */
  readonly known?: SignedRelease | undefined
  /** Past the caches on the way. */
  readonly isFresh?: boolean
}

/** Publishers replace Release first, and its signature after it. */
const RACE_TRIES = 3
const RACE_WAIT_MS = 2000

/**
 * Fetches a suite's InRelease, or Release and Release.gpg where there is none, and verifies it.
 *
 * @returns undefined when the mirror says that there is neither.
 * @throws {@link unsignedReleaseError} @throws {NetworkError} @throws {UnexpectedSizeError}
 * @throws {EnvsError} With exit code 6, of signature/errors.ts.
 */
export async function fetchRelease(
  place: Place,
  options: Options,
  context: ArchiveContext,
): Promise<VerifiedRelease | undefined> {
  const {known, isFresh = false} = options
  const answer = await askSmall(urlInSuite(place, 'InRelease'), {
    ...context,
    maxBytes: MOST_RELEASE_BYTES,
    isFresh,
    ...(known === undefined || known.signature !== undefined || isFresh ? {} : {known: known.validators}),
  })
  switch (answer.kind) {
    case 'missing':
      return fetchPair(place, options, context)
    case 'unchanged':
      return known === undefined ? undefined : verifyRelease(place, known, options, context)
    case 'whole': {
      const served = {release: answer.body, signature: undefined, validators: answer.validators}
      return verifyRelease(place, served, options, context)
    }
  }
}

async function fetchPair(
  place: Place,
  options: Options,
  context: ArchiveContext,
): Promise<VerifiedRelease | undefined> {
  for (let tries = 1; ; tries++) {
    const isFresh = tries > 1 || options.isFresh === true
    const fetchPart = (file: string, maxBytes: number) =>
      fetchSmall(urlInSuite(place, file), {...context, maxBytes, isFresh})
    const [release, signature] = await Promise.all([
      fetchPart('Release', MOST_RELEASE_BYTES),
      fetchPart('Release.gpg', MOST_SIGNATURE_BYTES),
    ])
    if (release === undefined) return undefined
    if (signature === undefined) throw unsignedReleaseError(place)
    try {
      return await verifyRelease(place, {release, signature, validators: {}}, options, context)
    } catch (error) {
      const isRace = error instanceof BadSignatureError || error instanceof SignatureUnreadableError
      if (!isRace || tries === RACE_TRIES) throw error
    }
    await pause(context.backoffMs ?? RACE_WAIT_MS, context.signal)
  }
}

/** @throws {EnvsError} With exit code 6, of signature/errors.ts. */
export async function verifyRelease(
  place: Place,
  served: SignedRelease,
  {keys}: Pick<Options, 'keys'>,
  context: ArchiveContext,
): Promise<VerifiedRelease> {
  const {release, signature} = served
  const options = {keys, now: context.now, allowSha1: context.allowSha1}
  const name = (file: string) => `${place.mirror}/dists/${place.suite}/${file}`
  const verified =
    signature === undefined
      ? await verifyCleartext({name: name('InRelease'), bytes: release}, options)
      : await verifyDetached(
          {
            listing: {name: name('Release'), bytes: release},
            signature: {name: name('Release.gpg'), bytes: signature},
          },
          options,
        )
  return {...served, verified}
}

/** The reason of `signal` rather than the AbortError that the timer would make of it. */
async function pause(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(waitMs, undefined, signal === undefined ? {} : {signal}).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw error
  })
}
