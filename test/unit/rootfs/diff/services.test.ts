import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {Entry} from '../../../../src/rootfs/diff/entries.js'
import {compareServices} from '../../../../src/rootfs/diff/services.js'

const LINK: Entry = {kind: 'symlink', mode: 0o777, uid: 0, gid: 0, sizeBytes: 0, target: '/x'}
const made = (path: string) => ({path, before: undefined, after: LINK})
const gone = (path: string) => ({path, before: LINK, after: undefined})

test('a unit that targets want now is one that would start', () => {
  const changes = ['multi-user.target.wants', 'graphical.target.requires'].map((folder) =>
    made(`etc/systemd/system/${folder}/nginx.service`),
  )
  assert.deepEqual(compareServices(changes), [
    {
      name: 'nginx.service',
      init: 'systemd',
      change: 'added',
      startedBy: ['graphical.target', 'multi-user.target'],
    },
  ])
})

test('an init script that runlevels start no more is one that went', () => {
  assert.deepEqual(compareServices([gone('etc/rc3.d/S02cron'), gone('etc/rc2.d/S02cron')]), [
    {name: 'cron', init: 'sysv', change: 'removed', startedBy: ['runlevel 2', 'runlevel 3']},
  ])
})

for (const [what, changes] of [
  ['a script that moved within its runlevel', [gone('etc/rc2.d/S02cron'), made('etc/rc2.d/S03cron')]],
  ['a link that leads elsewhere', [{path: 'etc/rc2.d/S02cron', before: LINK, after: LINK}]],
  ['a script that is stopped', [made('etc/rc0.d/K01cron'), made('etc/rc2.d/K01cron')]],
  ['a folder of wishes', [made('etc/systemd/system/multi-user.target.wants')]],
  ['a unit that nothing wants', [made('etc/systemd/system/own.service')]],
] as const) {
  test(`${what} is no change of services`, () => {
    assert.deepEqual(compareServices(changes), [])
  })
}
