import {join} from 'node:path'
import * as v from 'valibot'
import {fileFacts, openMemory} from '../../host/cache.js'
import {type Sha256, sha256Of} from '../../host/digest.js'
import {numberField, sha256Field} from '../../host/records.js'
import type {ImageQuery} from '../name.js'
import type {ImageContext} from '../sources/source.js'
import {type KeptImage, readKept} from './cache.js'
import {ImageRecordUnreadableError} from './errors.js'

/** Remembers the cached image that a name resolved to when its source was last asked. */
export type RecentAnswers = {
  /** Returns the digest of an answer, of which nothing need be cached; undefined if it is older than a day. */
  recallDigest(question: Question): Sha256 | undefined
  /** @returns undefined if the answer is older than a day, or the image is no longer cached. */
  recall(question: Question): Promise<KeptImage | undefined>
  remember(question: Question, sha256: Sha256): Promise<void>
}

/** The inputs of an answer, as JSON: the query, the mirrors and the keys. */
export type Question = {readonly [key: string]: unknown}

/** Lifetime of an answer: publishers release at most one image a week, and APT updates the packages. */
const ANSWER_LIFETIME_MS = 24 * 60 * 60 * 1000
const MAX_ANSWERS = 100

const answerSchema = v.object({sha256: sha256Field, askedAtMs: numberField})

/**
 * Opens the cache of answers, which avoids a network lookup for each environment of one image. The signature of
 * the image was verified when it was fetched.
 *
 * @param place.cacheFolder - The user's own: a user who can write there can change the environments as well.
 */
export function openRecentAnswers({
  images,
  cacheFolder,
  now,
}: {
  readonly images: string
  readonly cacheFolder: string
  readonly now: Date
}): RecentAnswers {
  const memory = openMemory(join(cacheFolder, 'answers.json'), {schema: answerSchema, most: MAX_ANSWERS})
  const recallDigest = (question: Question) => {
    const known = memory.recall(keyOf(question))
    // An answer from the future was stored before the clock was set back.
    const isFresh = known !== undefined && Math.abs(now.getTime() - known.askedAtMs) < ANSWER_LIFETIME_MS
    return isFresh ? known.sha256 : undefined
  }
  return {
    recallDigest,
    async recall(question) {
      const known = recallDigest(question)
      return known === undefined ? undefined : readKept(images, known).catch(unlessDamaged)
    },
    remember: (question, sha256) => memory.remember(keyOf(question), {sha256, askedAtMs: now.getTime()}),
  }
}

/** Returns the inputs that decide about a published image. */
export function questionOfImage(query: ImageQuery, context: ImageContext): Question {
  return {query, mirrors: context.mirrors, ...judgesOf(context)}
}

/**
 * Returns the keys and options that decide about signatures. File facts are included, because a changed keyring
 * may have lost a key.
 */
export function judgesOf({keyrings, allowSha1}: Pick<ImageContext, 'keyrings' | 'allowSha1'>): Question {
  const files = keyrings.map(({below, path}) => [below, path, fileFacts(path)])
  return {keyrings: files, allowSha1: allowSha1 === true}
}

function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof ImageRecordUnreadableError)) throw error
}

function keyOf(question: Question): string {
  return sha256Of(JSON.stringify(question))
}
