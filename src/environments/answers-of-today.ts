import type {ArchiveContext} from '../archive/context.js'
import type {Sha256} from '../host/digest.js'
import type {Host} from '../host/host.js'
import type {KeptImage} from '../images/cache/kept-images.js'
import {judgesOf, openRecentAnswers, type Question, type RecentAnswers} from '../images/recent-answers.js'
import type {Identity} from '../sandbox/ids/identity.js'
import type {BootstrapRequest} from './bootstrap-request.js'

/** `daily`: who was asked within a day is not asked again. */
export type ImageCheck = 'daily' | 'always'

type Wanted = {readonly imageCheck: ImageCheck; readonly sha256: Sha256 | undefined; readonly now: Date}

/** What a name stood for when it was last asked for, where that will do. */
export class AnswersOfToday {
  readonly #answers: RecentAnswers

  constructor(
    {paths}: Pick<Host, 'paths'>,
    private readonly wanted: Wanted,
  ) {
    const {images, cache} = paths
    this.#answers = openRecentAnswers({images, cacheFolder: cache, now: wanted.now})
  }

  async recall(question: Question): Promise<KeptImage | undefined> {
    const {imageCheck, sha256} = this.wanted
    if (imageCheck === 'always') return undefined
    const known = await this.#answers.recall(question)
    return sha256 === undefined || sha256 === known?.sha256 ? known : undefined
  }

  remember(question: Question, sha256: Sha256): Promise<void> {
    return this.#answers.remember(question, sha256)
  }
}

/** What decides about an image that is made of packages. */
export function questionOfPackages(
  bootstrap: BootstrapRequest,
  identity: Identity,
  context: ArchiveContext,
): Question {
  return {bootstrap, identity, mirrors: context.mirrors, ...judgesOf(context)}
}
