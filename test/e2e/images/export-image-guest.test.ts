import assert from 'node:assert/strict'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {listing, withoutLaid} from '../../support/carried-tree.js'
import {IDENTITIES, ownGuest} from '../../support/guest.js'
import {readImageFile} from '../../support/image-file.js'
import {noOverlays} from '../../support/stacked-layers.js'

/** What only the tarball has, or has otherwise: settings of envs, and the programs that it replaces in `emulated`. */
const OF_ENVS =
  /^(etc\/(apt\/apt\.conf\.d\/9\denvs|dpkg\/dpkg\.cfg\.d\/envs-)|usr\/s?bin\/(su|runuser)(\.distrib)? |var\/lib\/dpkg\/diversions)/

/** Adding its files, envs has changed the times of folders. */
function comparable(lines: readonly string[]): string[] {
  return withoutLaid(lines)
    .filter((line) => !OF_ENVS.test(line))
    .map((line) => line.replace(/( d\S{9} .*) \d{4}-\d\d-\d\d \d\d:\d\d/, '$1'))
}

/** A tarball has none of these. */
function withoutUserAttribute(line: string): string {
  return line.replace(/\* (.*) x: \d+ user\..*$/, ' $1')
}

/** @see syscall(2) */
const SETXATTR = process.arch === 'arm64' ? 5 : 188

const BEFORE_SNAPSHOT = `set -e
  rm /etc/debian_version; rm -r /etc/skel; mkdir /etc/skel; echo new >/etc/skel/new
  rm -r /media; echo file >/media; rm /etc/issue; mkdir /etc/issue; echo in >/etc/issue/in
  echo x >/srv/removed-later; chown games:games /srv/removed-later; echo 1 >/etc/motd`

const AFTER_SNAPSHOT = `set -e
  rm /srv/removed-later; rm -r /etc/skel; echo 2 >>/etc/motd
  mkdir -m 2770 /srv/new; echo y >/srv/new/file; chmod 4711 /srv/new/file; ln /srv/new/file /srv/new/second
  mkfifo /srv/pipe; ln -s ../../../../../etc/shadow /srv/out; touch -d @1000000000.7 /srv/old
  perl -e 'open my $f, ">", "/srv/" . ("n" x 200) or die; open $f, ">", "/srv/\\xff\\n\\xc3\\xa9" or die'
  perl -e 'my @words = ("/srv/old", "user.word", "value"); syscall(${SETXATTR}, @words, 5, 0) == 0 or die'`

for (const {identity, skip} of IDENTITIES) {
  test(`an image of layers has the files that the guest sees, ${identity}`, {
    skip: skip || noOverlays,
  }, async (t) => {
    const guest = await ownGuest(t, identity)
    const {cli} = guest
    for (const script of [BEFORE_SNAPSHOT, AFTER_SNAPSHOT]) {
      const done = await guest.sh(script)
      assert.equal(done.status, 0, done.stderr)
      await cli.run('stop', 'play')
      if (script === BEFORE_SNAPSHOT) await cli.run('snapshot', 'play', 'first')
    }
    await cli.run('export', 'play', '-o', 'play.tar')
    const run = await cli.run(
      'export',
      'play',
      '--format',
      'oci',
      '-o',
      'image.tar',
      '--compression',
      'zstd',
      '-q',
    )
    assert.deepEqual([run.status, run.stderr], [0, ''])
    const image = await readImageFile(t, join(cli.home, 'image.tar'))
    const tree = await image.listing()
    const withoutAttributes = tree.map(withoutUserAttribute)
    assert.deepEqual(comparable(withoutAttributes), comparable(await listing(join(cli.home, 'play.tar'))))
    assert.equal(tree.filter((line) => /^srv\/old .* x: 5 user\.word$/.test(line)).length, 1)

    assert.equal(image.manifest.layers.length, 3)
    assert.deepEqual(
      image.config.history.map(({created_by}) => created_by?.replace(/digest .*/, 'digest')),
      ['envs: an image with the digest', 'envs: snapshot first', 'envs: changes'],
    )
    const names = (await image.layer(2)).map(([path]) => path)
    assert.deepEqual(
      names.filter((path) => path.includes('.wh.')),
      ['etc/.wh.skel', 'srv/.wh.removed-later'],
    )
    const [first] = (await image.layer(1)).filter(([path]) => path.startsWith('etc/skel/'))
    assert.deepEqual(first, ['etc/skel/.wh..wh..opq', '---------- 0/0 0 1970-01-01 00:00'])
    const ofEnvs = tree.filter((line) => /envs|policy-rc\.d -|debian_chroot|\.distrib/.test(line))
    assert.deepEqual(ofEnvs, [])
    assert.match(tree.join('\n'), /^usr\/bin\/su -rwsr-xr-x 0\/0 /m)
    assert.match(tree.join('\n'), /^etc\/machine-id -r--r--r-- 0\/0 0 /m)

    const squashed = await cli.run('export', 'play', '--format', 'oci', '-o', 'one.tar', '--squash')
    assert.equal(squashed.status, 0, squashed.stderr)
    const one = await readImageFile(t, join(cli.home, 'one.tar'))
    assert.equal(one.manifest.layers.length, 1)
    assert.deepEqual(comparable(await one.listing()), comparable(tree))

    await mkdir(join(cli.home, 'tmp'))
    const other = (...argv: string[]) =>
      capture(argv, {cwd: cli.home, env: {...cli.env, TMPDIR: join(cli.home, 'tmp')}, timeout: 60_000})
    const copied = await other(
      'skopeo',
      '--insecure-policy',
      'copy',
      '-q',
      'oci-archive:one.tar',
      'oci:layout:1',
    )
    assert.equal(copied.status, 0, copied.stderr)
    const unpacked = await other('umoci', 'unpack', '--rootless', '--image', 'layout:1', 'tree')
    assert.equal(unpacked.status, 0, unpacked.stderr)
    const packed = await other('tar', '-C', 'tree/rootfs', '--sort=name', '-cf', 'umoci.tar', '.')
    assert.equal(packed.status, 0, packed.stderr)
    // Without owners and device nodes, which an ordinary user can't make.
    const plain = (lines: readonly string[]) =>
      comparable(lines)
        .filter((line) => !line.startsWith('dev/'))
        .map((line) => line.replace(/ \d+\/\d+ /, ' '))
    const seen = plain(await listing(join(cli.home, 'umoci.tar'))).map(withoutUserAttribute)
    assert.deepEqual(seen, plain((await one.listing()).map(withoutUserAttribute)))
  })
}
