import {keepBody, readBody} from '../remembered.js'
import {askSmall, type FetchSmallOptions} from './fetch-small.js'
import {hasValidators, validatorsSchema} from './headers.js'

/**
 * Fetches a small file and keeps a copy; asks only whether it is still the same as long as there is one.
 *
 * The copy is no more to be trusted than the server: what needs a proof must be verified each time. One that is
 * damaged, or can't be kept, is as none.
 *
 * @param path - Of the copy, which must be of this URL alone; its folder is made.
 * @returns undefined when the server says that there is none.
 * @throws {NetworkError} @throws {UnexpectedSizeError} @throws {@link certificateFileError}
 */
export async function fetchCached(
  url: URL,
  path: string,
  options: FetchSmallOptions,
): Promise<Buffer | undefined> {
  const kept = readBody(path, validatorsSchema)
  const answer = await askSmall(url, {
    ...options,
    ...(kept === undefined ? {} : {known: kept.facts}),
  })
  switch (answer.kind) {
    case 'missing':
      return undefined
    case 'unchanged':
      return kept?.body
    case 'whole':
      if (hasValidators(answer.validators)) await keepBody(path, answer.validators, answer.body)
      return answer.body
  }
}
