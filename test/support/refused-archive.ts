import assert from 'node:assert/strict'
import type {TestContext} from 'node:test'
import {planPackages} from '../../src/apt/plan.js'
import {type Archive, openArchive} from './archive.js'
import {type ArchiveClient, clientOf, NOBLE, TRIXIE} from './archive-context.js'
import type {ArchivePackage} from './archive-pocket.js'

/** The smallest system there is. */
export const SYSTEM: readonly ArchivePackage[] = [
  {name: 'apt', priority: 'important'},
  {name: 'base-files', priority: 'required', isEssential: true},
]

export type Victim = ArchiveClient & {
  readonly archive: Archive
  /** Plans from what is served by now. */
  plan(): ReturnType<typeof planPackages>
  /** Holds that a plan is refused with this error, and that it is one of verification. */
  refuses(code: string, message: RegExp): Promise<void>
}

/** A client, and an archive that a test will tamper with. */
export async function givenVictim(
  t: TestContext,
  distribution: 'debian' | 'ubuntu' = 'debian',
  options: Partial<ArchiveClient['context']> = {},
): Promise<Victim> {
  const request = distribution === 'debian' ? TRIXIE : NOBLE
  const archive = await openArchive(t, {
    distribution,
    suite: request.release.codename,
    packages: SYSTEM,
  })
  const client = await clientOf(t, archive, options)
  const plan = () => planPackages(request, client.context)
  return {
    ...client,
    archive,
    plan,
    refuses: (code, message) => assert.rejects(plan(), {code, message, exitCode: 6}),
  }
}
