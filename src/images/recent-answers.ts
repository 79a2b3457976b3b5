import {join} from 'node:path'
import * as v from 'valibot'
import {type Sha256, sha256Of} from '../host/digest.js'
import {numberField, sha256Field} from '../host/records.js'
import {fileFacts, openMemory} from '../host/remembered.js'
import {ImageRecordUnreadableError} from './cache/errors.js'
import {type KeptImage, readKept} from './cache/kept-images.js'
import type {ImageQuery} from './published-image.js'
import type {ImageContext} from './sources/source.js'

/** Which kept image a name stood for when its publisher, or the package archive, was last asked. */
export type RecentAnswers = {
  /** @returns undefined where nobody was asked within a day, or the image is not here any more. */
  recall(question: Question): Promise<KeptImage | undefined>
  remember(question: Question, sha256: Sha256): Promise<void>
}

/** All that decides about the answer: what was wanted, of whom, and by which keys it is judged; of JSON's types. */
export type Question = {readonly [key: string]: unknown}

/** Publishers bring out an image a week at most, packages come several times a day and APT brings those. */
const GOOD_FOR_MS = 24 * 60 * 60 * 1000
const MOST_ENTRIES = 100

const answerSchema = v.object({sha256: sha256Field, askedAtMs: numberField})

/**
 * Spares asking over the network for every environment of one image: its signature was verified when it came, and what is
 * made of it meanwhile is the same.
 *
 * @param place.cacheFolder - The user's own: whoever can write there can change the environments as well.
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
  const memory = openMemory(join(cacheFolder, 'answers.json'), {schema: answerSchema, most: MOST_ENTRIES})
  return {
    async recall(question) {
      const known = memory.recall(keyOf(question))
      // One of a time to come is of a clock that was set back.
      if (known === undefined || Math.abs(now.getTime() - known.askedAtMs) >= GOOD_FOR_MS) return undefined
      return readKept(images, known.sha256).catch(unlessDamaged)
    },
    remember: (question, sha256) => memory.remember(keyOf(question), {sha256, askedAtMs: now.getTime()}),
  }
}

/** What decides about an image that is published. */
export function questionOfImage(query: ImageQuery, context: ImageContext): Question {
  return {query, mirrors: context.mirrors, ...judgesOf(context)}
}

/** By what signatures are judged. A file of keys that has changed may have lost the one that signed. */
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
