import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity, {isPlain: true})

  test(`${identity}: run --dry-run prints three command lines and starts nothing`, {skip}, async () => {
    const guest = await play()
    const ran = await guest.cli.run('run', '--dry-run', '-w', '/srv', 'play', 'touch', '/root/made', 'a b')
    assert.deepEqual([ran.status, ran.stderr], [0, ''])
    assert.match(ran.stdout, / -w \/srv -- touch \/root\/made 'a b'\n$/)
    assert.ok(ran.stdout.includes(`--bind ${guest.root} /`), ran.stdout)
    assert.equal(readLiveAnchor(guest.state), undefined)
    assert.equal((await guest.run('ls', '/root/made')).status, 2)
  })

  test(`${identity}: run --dry-run --json gives the lists themselves`, {skip}, async () => {
    const {cli, root} = await play()
    const ran = await cli.run('run', '--dry-run', '--json', 'play', 'echo', 'a b', '')
    const preview = JSON.parse(ran.stdout)
    assert.deepEqual(Object.keys(preview), ['anchor', 'session'])
    assert.deepEqual(preview.session.slice(-4), ['--', 'echo', 'a b', ''])
    const {options} = preview.anchor
    assert.deepEqual(options.slice(options.indexOf('--bind'), options.indexOf('--bind') + 3), [
      '--bind',
      root,
      '/',
    ])
  })
}
