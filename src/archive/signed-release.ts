import {join} from 'node:path'
import * as v from 'valibot'
import {type Validators, validatorsSchema} from '../host/http/headers.js'
import type {Paths} from '../host/paths.js'
import {keepBody, readBody} from '../host/remembered.js'
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
})

/** The cache's copy of a suite's Release. */
export function keptReleasePath({cache}: Pick<Paths, 'cache'>, place: SuitePlace): string {
  return join(cache, 'archive', 'releases', keyOf(place))
}

/** Keeps a Release that was verified; where that can't be done, the next command fetches it again. */
export function keepRelease(path: string, {release, signature, validators}: SignedRelease): Promise<void> {
  const facts = {...validators, releaseBytes: release.length, hasSignature: signature !== undefined}
  return keepBody(path, facts, Buffer.concat([release, signature ?? Buffer.alloc(0)]))
}

/** What was kept; it has to be verified again. Undefined where there is none, or none that can be read. */
export function readKeptRelease(path: string): SignedRelease | undefined {
  const kept = readBody(path, keptReleaseHeadSchema)
  if (kept === undefined) return undefined
  const {releaseBytes, hasSignature, ...validators} = kept.facts
  return {
    release: kept.body.subarray(0, releaseBytes),
    signature: hasSignature ? kept.body.subarray(releaseBytes) : undefined,
    validators,
  }
}
