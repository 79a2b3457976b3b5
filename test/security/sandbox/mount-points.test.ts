import assert from 'node:assert/strict'
import {mkdtemp, readdir, rename, rm, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {stopped} from '../../support/running-session.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity, {isPlain: true})

  for (const place of ['dev', 'proc', 'sys', 'run', 'run/envs']) {
    for (const what of ['a link to a folder of the host', 'a dangling link', 'a file'] as const) {
      test(`${identity}: ${what} in place of /${place} is refused in words, and nothing is made outside`, {
        skip,
      }, async (t) => {
        const guest = await stopped(play)
        const outside = await mkdtemp(join(guest.cli.home, 'outside-'))
        const [path, aside] = [join(guest.root, place), join(guest.root, 'tmp', 'aside')]
        await guest.run('true')
        await guest.cli.run('stop', '--force', 'play')
        await rename(path, aside)
        t.after(() => rm(path).then(() => rename(aside, path)))
        if (what === 'a file') await writeFile(path, '')
        else await symlink(what === 'a dangling link' ? join(outside, 'missing') : outside, path)
        const ran = await guest.run('true')
        assert.equal(ran.status, 125)
        assert.match(ran.stderr, new RegExp(`^envs: [^\n]*/${place}[^\n]*\n( {2}[^\n]+\n)*$`))
        assert.deepEqual(await readdir(outside), [])
      })
    }
  }
}
