import {join} from 'node:path'
import type {ArchiveContext, ArchiveEvent, ArchiveNotice, ArchiveRequest} from '../../src/apt/context.js'
import type {Archive} from './archive.js'
import type {Scope} from './cli.js'
import {which} from './extraction.js'
import {temporaryFolder} from './temporary-folder.js'

/** What asks an archive of a test, in a home of its own, with next to no wait between tries; and what it was told. */
export type ArchiveClient = {
  readonly context: ArchiveContext
  readonly notices: ArchiveNotice[]
  readonly events: ArchiveEvent[]
}

export async function clientOf(
  t: Scope,
  {mirrors, keyrings}: Pick<Archive, 'mirrors' | 'keyrings'>,
  options: Partial<ArchiveContext> = {},
): Promise<ArchiveClient> {
  const home = await temporaryFolder(t)
  const [notices, events]: [ArchiveNotice[], ArchiveEvent[]] = [[], []]
  return {
    notices,
    events,
    context: {
      environment: {},
      which,
      paths: {
        data: join(home, 'data'),
        cache: join(home, 'cache'),
        packages: join(home, 'cache/packages'),
      },
      mirrors,
      keyrings,
      now: new Date(),
      aptFolder: join(home, 'no-apt'),
      backoffMs: 1,
      onNotice: (notice) => notices.push(notice),
      onProgress: (event) => events.push(event),
      ...options,
    },
  }
}

export const TRIXIE: ArchiveRequest = {
  release: {distribution: 'debian', codename: 'trixie', version: '13', hasMoved: false},
  architecture: 'amd64',
  variant: 'minbase',
  include: [],
  components: [],
}

export const NOBLE: ArchiveRequest = {
  ...TRIXIE,
  release: {distribution: 'ubuntu', codename: 'noble', version: '24.04', hasMoved: false},
}
