import {readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import * as v from 'valibot'
import {errnoOf} from '../errors.js'
import {writeFileAtomic} from '../host/atomic-file.js'
import {sha256Of} from '../host/digest.js'
import {makeFolders} from '../host/folders.js'
import {type Validators, validatorsSchema} from '../host/http/headers.js'
import type {Paths} from '../host/paths.js'
import {parseIfValid, sha256Field} from '../host/records.js'
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

const keptReleaseHeadSchema = v.object({
  ...validatorsSchema.entries,
  releaseBytes: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  hasSignature: v.boolean(),
  sha256: sha256Field,
})

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
    if (errnoOf(error) === undefined) throw error
  }
}

/** What was kept; it has to be verified again. Undefined where there is none, or none that can be read. */
export async function readKeptRelease(path: string): Promise<SignedRelease | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
  const end = bytes.indexOf('\n')
  const head = parseIfValid(bytes.toString('utf8', 0, Math.max(end, 0)), keptReleaseHeadSchema)
  if (head === undefined) return undefined
  const {releaseBytes, hasSignature, sha256, ...validators} = head
  const body = bytes.subarray(end + 1)
  // Else a damaged copy would be refused as the mirror's for as long as that has nothing newer.
  if (sha256 !== sha256Of(body)) return undefined
  return {
    release: body.subarray(0, releaseBytes),
    signature: hasSignature ? body.subarray(releaseBytes) : undefined,
    validators,
  }
}
