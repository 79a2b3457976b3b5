import assert from 'node:assert/strict'
import {test} from 'node:test'
import {checkOf, type Package} from '../../matrix/packages.js'
import {openStore} from '../../matrix/store.js'
import {type TrialOptions, tryPackage} from '../../matrix/trial.js'
import {debianRootfs} from './debian-rootfs.js'
import {IDENTITIES} from './guest.js'

/** What is asserted beyond the check of a package. */
type Further = {readonly claim: string; readonly andThen: NonNullable<TrialOptions['andThen']>}

/** Tests of a package that `npm run matrix` has a check for: one an identity. Call it outside a test. */
export async function testPackage(name: Package, further?: Further): Promise<void> {
  const check = await checkOf(name)
  assert.ok(check, `${name} has no check`)
  const claims = [check.claim, ...(further === undefined ? [] : [further.claim])].join(', and ')
  for (const {identity, skip} of IDENTITIES) {
    test(`${identity}: after apt-get install ${name} ${claims}`, {skip}, async (t) => {
      const store = await openStore()
      t.after(() => store.close())
      const options = {store, rootfs: await debianRootfs(), identity}
      const outcome = await tryPackage(name, {...options, ...further})
      assert.equal(outcome.failure, undefined, outcome.failure?.lastLines.join('\n'))
    })
  }
}
