import {readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {writeFileAtomic} from '../host/atomic-file.js'
import {sha256Of} from '../host/digest.js'
import {ignoreFailure, ignoring} from '../host/errno.js'
import {makeFolders} from '../host/folders.js'
import type {Validators} from '../host/http/headers.js'
import {jsonObject} from '../host/json-fields.js'
import type {Paths} from '../host/paths.js'
import type {SuitePlace} from './errors.js'
import {keyOf} from './place.js'

/** A Release as it was served, unverified: with its signature inside, or beside it. */
export type SignedRelease = {
  readonly release: Buffer
  /** Undefined where it is inside. */
  readonly signature: Buffer | undefined
  /** By which the mirror can be asked whether it is still the same. */
  readonly validators: Validators
}

/** The cache's copy of a suite's Release. */
export function keptReleasePath({cache}: Pick<Paths, 'cache'>, place: SuitePlace): string {
  return join(cache, 'archive', 'releases', keyOf(place))
}

/** Keeps a Release that was verified; where that can't be done, the next command fetches it again. */
export async function keepRelease(path: string, kept: SignedRelease): Promise<void> {
  const body = Buffer.concat([kept.release, kept.signature ?? Buffer.alloc(0)])
  const head = {
    ...kept.validators,
    releaseBytes: kept.release.length,
    hasSignature: kept.signature !== undefined,
    sha256: sha256Of(body),
  }
  const file = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body])
  try {
    await makeFolders(dirname(path), {mode: 0o700})
    await writeFileAtomic(path, file, {mode: 0o600, isSynced: false})
  } catch (error) {
    ignoreFailure(error)
  }
}

/** What was kept; it has to be verified again. Undefined where there is none, or none that can be read. */
export async function readKeptRelease(path: string): Promise<SignedRelease | undefined> {
  const bytes = await readFile(path).catch(ignoring())
  if (bytes === undefined) return undefined
  const end = bytes.indexOf('\n')
  const head = jsonObject(bytes.toString('utf8', 0, Math.max(end, 0)))
  const {releaseBytes, hasSignature, sha256, etag, lastModified} = head
  if (typeof releaseBytes !== 'number' || !Number.isSafeInteger(releaseBytes) || releaseBytes < 0)
    return undefined
  const body = bytes.subarray(end + 1)
  // Else a damaged copy would be refused as the mirror's for as long as that has nothing newer.
  if (sha256 !== sha256Of(body)) return undefined
  return {
    release: body.subarray(0, releaseBytes),
    signature: hasSignature === true ? body.subarray(releaseBytes) : undefined,
    validators: {
      ...(typeof etag === 'string' ? {etag} : {}),
      ...(typeof lastModified === 'string' ? {lastModified} : {}),
    },
  }
}
