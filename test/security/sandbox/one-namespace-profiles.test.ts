import assert from 'node:assert/strict'
import {test} from 'node:test'
import {ownGuest} from '../../support/guest.js'
import {withOneNamespace} from '../../support/one-namespace.js'

test("where the guest's root could undo them, isolated and a read-only session are refused with the reason", async (t) => {
  const guest = await withOneNamespace(t, await ownGuest(t, 'emulated'))
  const session = await guest.runWith({flags: ['--read-only']}, 'true')
  assert.equal(session.status, 125)
  assert.match(
    session.stderr,
    /this host forbids a second user namespace, so root inside could make the files writable again/,
  )
  const {stdout} = await guest.cli.run('show', '--exposure', 'play')
  assert.match(stdout, /^mounts +medium +its root can change its mounts/m)
  await guest.cli.run('stop', '--force', 'play')
  await guest.cli.run('set', 'play', 'profile=isolated', '--quiet')
  const isolated = await guest.run('true')
  assert.equal(isolated.status, 125)
  assert.match(isolated.stderr, /^envs: This host cannot isolate play: it forbids a second user namespace/)
})
