import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, mkdtemp, readFile, symlink, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {test} from 'node:test'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'

/** A folder `name` of the test's own, with a file `note` in it. */
async function hostFolder({cli}: Guest, name = 'share'): Promise<string> {
  const folder = join(await mkdtemp(join(cli.home, 'volumes-')), name)
  await mkdir(folder)
  await writeFile(join(folder, 'note'), `of ${name}\n`)
  return folder
}

for (const {identity, skip} of IDENTITIES) {
  const guest = sharedGuest(identity, {isPlain: true})

  test(`${identity}: a shared folder is read and written in both directions`, {skip}, async () => {
    const play = await guest()
    const share = await hostFolder(play)
    const ran = await play.runWith(
      {flags: ['--volume', `${share}:/data`]},
      ...['sh', '-c', 'cat /data/note; echo back >/data/answer'],
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['of share\n', ''])
    assert.equal(await readFile(join(share, 'answer'), 'utf8'), 'back\n')
  })

  test(`${identity}: the working folder, removed meanwhile, is refused, and nothing else shared for it`, {
    skip,
  }, async () => {
    const play = await guest()
    const share = await hostFolder(play)
    const ran = await play.onHost(
      `cd ${share} && rm -r ${share} && unset PWD && envs run -v .:/data play ls /data`,
    )
    assert.deepEqual([ran.status, ran.stdout], [125, ''])
    assert.match(
      ran.stderr,
      /^envs: Could not open a session in "play": could not share "\S+ \(deleted\)": no such/m,
    )
  })

  test(`${identity}: one shared with :ro can't be written`, {skip}, async () => {
    const play = await guest()
    const share = await hostFolder(play)
    const ran = await play.runWith(
      {flags: ['-v', `${share}:/data:ro`]},
      ...['sh', '-c', 'cat /data/note; echo x >/data/note; echo x >/data/new'],
    )
    assert.equal(ran.stdout, 'of share\n')
    assert.equal(ran.stderr.match(/Read-only file system/g)?.length, 2)
    assert.equal(await readFile(join(share, 'note'), 'utf8'), 'of share\n')
  })

  test(`${identity}: a file is shared alone`, {skip}, async () => {
    const play = await guest()
    const share = await hostFolder(play)
    const ran = await play.runWith(
      {flags: ['-v', `${share}/note:/opt/new/note`]},
      ...['sh', '-c', 'cat /opt/new/note; ls /opt/new'],
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['of share\nnote\n', ''])
  })

  test(`${identity}: a relative source is looked for where the caller is, and lies at its own path`, {
    skip,
  }, async () => {
    const play = await guest()
    const share = await hostFolder(play)
    const ran = await play.onHost(`cd ${dirname(share)} && envs run -v ./share play cat ${share}/note`)
    assert.deepEqual([ran.stdout, ran.stderr], ['of share\n', ''])
  })

  test(`${identity}: several are shared at once, one inside another`, {skip}, async () => {
    const play = await guest()
    const [outer, inner] = [await hostFolder(play, 'outer'), await hostFolder(play, 'inner')]
    const ran = await play.runWith(
      {flags: ['-v', `${outer}:/data`, '-v', `${inner}:/data/deep/er`]},
      ...['cat', '/data/note', '/data/deep/er/note'],
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['of outer\nof inner\n', ''])
  })

  test(`${identity}: a name with spaces and letters beyond ASCII can be shared`, {skip}, async () => {
    const play = await guest()
    const share = await hostFolder(play, 'mein Büro')
    const ran = await play.runWith({flags: ['-v', `${share}:/mnt/mein Büro`]}, 'cat', '/mnt/mein Büro/note')
    assert.deepEqual([ran.stdout, ran.stderr], ['of mein Büro\n', ''])
  })

  test(`${identity}: a share hides what the guest has there, for that session alone`, {skip}, async () => {
    const play = await guest()
    const share = await hostFolder(play)
    const ran = await play.runWith({flags: ['-v', `${share}:/srv`]}, 'ls', '/srv')
    assert.equal(ran.stdout, 'note\n')
    assert.equal((await play.run('ls', '/srv')).stdout, '')
  })

  test(`${identity}: two sessions at a time see each its own share`, {skip}, async () => {
    const play = await guest()
    const [one, two] = [await hostFolder(play, 'one'), await hostFolder(play, 'two')]
    const look =
      'cat /srv/note; touch /tmp/here-$1; while [ ! -e /tmp/here-$2 ]; do sleep 0.05; done; cat /srv/note'
    const [first, second] = await Promise.all([
      play.runWith({flags: ['-v', `${one}:/srv`]}, 'sh', '-c', look, 'sh', '1', '2'),
      play.runWith({flags: ['-v', `${two}:/srv`]}, 'sh', '-c', look, 'sh', '2', '1'),
    ])
    assert.deepEqual([first.stdout, second.stdout], ['of one\nof one\n', 'of two\nof two\n'])
  })

  test(`${identity}: a share works in a session that finds the environment running`, {skip}, async () => {
    const play = await guest()
    const share = await hostFolder(play)
    await play.sh('sleep 5 >/dev/null 2>&1 </dev/null &')
    const ran = await play.runWith({flags: ['-v', `${share}:/srv`]}, 'cat', '/srv/note')
    assert.equal(ran.stdout, 'of share\n')
  })

  test(`${identity}: a link of the guest's on the way to the target leads nowhere outside`, {
    skip,
  }, async () => {
    const play = await guest()
    const [share, victim] = [await hostFolder(play), await hostFolder(play, 'victim')]
    await symlink(victim, join(play.root, 'srv', 'out'))
    const ran = await play.runWith({flags: ['-v', `${share}:/srv/out/deep`]}, 'ls', '/srv/out/deep')
    assert.equal(existsSync(join(victim, 'deep')), false)
    assert.deepEqual([ran.status, ran.stdout], [125, ''])
  })

  test(`${identity}: a link of the host's as the source is followed`, {skip}, async () => {
    const play = await guest()
    const share = await hostFolder(play)
    await symlink(share, `${share}-link`)
    const ran = await play.runWith({flags: ['-v', `${share}-link:/srv`]}, 'cat', '/srv/note')
    assert.deepEqual([ran.stdout, ran.stderr], ['of share\n', ''])
  })

  for (const [what, source, target] of [
    ['a file over a folder', 'note', '/srv'],
    ['a folder over a file', '.', '/etc/passwd'],
    ['a target below a file', '.', '/etc/passwd/x'],
  ] as const) {
    test(`${identity}: ${what} is refused in words`, {skip}, async () => {
      const play = await guest()
      const share = await hostFolder(play)
      const ran = await play.runWith({flags: ['-v', `${share}/${source}:${target}`]}, 'true')
      assert.equal(ran.status, 125)
      assert.match(
        ran.stderr,
        new RegExp(`^envs: Could not open a session in "play": .*${target}.*: [a-z ]+\\.\n`),
      )
    })
  }

  test(`${identity}: a source that is missing is refused in words, and nothing is made`, {skip}, async () => {
    const play = await guest()
    const ran = await play.runWith({flags: ['-v', 'no-such:/opt/x']}, 'true')
    assert.equal(ran.status, 125)
    assert.match(
      ran.stderr,
      /^envs: Could not open a session in "play": could not share "\S+\/no-such": no such file or directory\.\n/,
    )
    assert.equal(existsSync(join(play.root, 'opt/x')), false)
  })
}
