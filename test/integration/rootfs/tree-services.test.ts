import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'
import {mkdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {readTreeServices} from '../../../src/rootfs/tree-services.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const UNIT =
  '[Unit]\nDescription = A web server \n[Service]\nExecStart=\nExecStart=-/usr/sbin/nginx -g "daemon on"\n'

async function layer(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await temporaryFolder(t)
  for (const [path, text] of Object.entries(files)) put(root, path, text)
  return root
}

function put(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), {recursive: true})
  if (text.startsWith('-> ')) symlinkSync(text.slice(3), join(root, path))
  else writeFileSync(join(root, path), text)
}

test('the facts of a service come from the uppermost layer that has them', async (t) => {
  const below = await layer(t, {
    'usr/lib/systemd/system/nginx.service': UNIT,
    'etc/init.d/nginx': '#!/bin/sh\n',
    'var/lib/envs/would-start': 'old\n',
  })
  const above = await layer(t, {
    'var/lib/envs/would-start': 'nginx\n',
    'etc/systemd/system/multi-user.target.wants/nginx.service': '-> /usr/lib/systemd/system/nginx.service',
  })
  assert.deepEqual(readTreeServices([above, below]), [
    {
      unit: 'nginx.service',
      description: 'A web server',
      isEnabled: true,
      isRecorded: true,
      hasUnitFile: true,
      hasScript: true,
      program: '/usr/sbin/nginx',
      instanceFolders: [],
    },
  ])
})

test('a service has the folders of the instances that are a part of it', async (t) => {
  const root = await layer(t, {
    'usr/lib/systemd/system/pg.service': '[Service]\nExecStart=/bin/true\n',
    'usr/lib/systemd/system/pg@.service':
      '[Unit]\nRequiresMountsFor=/etc/pg/%I /var/lib/pg/%I /srv %I\nPartOf=pg.service\n',
    'usr/lib/systemd/system/ssh.service': '[Unit]\n',
    'usr/lib/systemd/system/ssh@.service': '[Unit]\nRequiresMountsFor=/srv/%I\n',
  })
  const found = readTreeServices([root], {others: ['pg.service', 'ssh.service', 'pg@17-main.service']})
  assert.deepEqual(
    found.map(({unit, instanceFolders}) => [unit, instanceFolders]),
    [
      ['pg.service', ['/etc/pg/', '/var/lib/pg/']],
      ['pg@17-main.service', []],
      ['ssh.service', []],
    ],
  )
})

test('an instance has the file of its template, an alias that of its target, a masked unit none', async (t) => {
  const root = await layer(t, {
    'usr/lib/systemd/system/pg@.service': '[Unit]\nDescription=Cluster %i\n',
    'usr/lib/systemd/system/ssh.service': '[Unit]\nDescription=Shell\n',
    'etc/systemd/system/sshd.service': '-> /usr/lib/systemd/system/ssh.service',
    'etc/systemd/system/off.service': '-> /dev/null',
    'usr/lib/systemd/system/off.service': UNIT,
  })
  const others = ['pg@17-main.service', 'sshd.service', 'off.service', 'gone.service']
  assert.deepEqual(
    readTreeServices([root], {others}).map(({unit, description}) => [unit, description]),
    [
      ['pg@17-main.service', 'Cluster %i'],
      ['sshd.service', 'Shell'],
    ],
  )
})

test('a start link of an init script enables its service', async (t) => {
  const root = await layer(t, {
    'etc/init.d/cron': '#!/bin/sh\n# Short-Description: Jobs\n',
    'etc/rc2.d/S01cron': '-> ../init.d/cron',
    'etc/init.d/off': '#!/bin/sh\n',
    'etc/rc2.d/K01off': '-> ../init.d/off',
    'var/lib/envs/would-start': 'cron\noff\n',
  })
  assert.deepEqual(
    readTreeServices([root]).map(({unit, description, isEnabled}) => [unit, description, isEnabled]),
    [
      ['cron.service', 'Jobs', true],
      ['off.service', '', false],
    ],
  )
})

for (const [what, spoil] of [
  ['a link to a file of the host', (root) => put(root, 'var/lib/envs/would-start', '-> /etc/hostname')],
  ['a FIFO', (root) => execFileSync('mkfifo', [join(root, 'var/lib/envs/would-start')])],
  ['a folder', (root) => mkdirSync(join(root, 'var/lib/envs/would-start'))],
  [
    'names that are none',
    (root) => put(root, 'var/lib/envs/would-start', '../../etc/passwd\n\x1b[31mred\n-rf\na b\n\0\n'),
  ],
] as const satisfies readonly (readonly [string, (root: string) => void])[]) {
  test(`a record that is ${what} counts as empty`, async (t) => {
    const root = await layer(t, {'etc/init.d/red': '#!/bin/sh\n', 'var/lib/envs/other': ''})
    spoil(root)
    assert.deepEqual(readTreeServices([root]), [])
  })
}

test('a link on the way to the record or to a unit is not followed', async (t) => {
  const outside = await layer(t, {'envs/would-start': 'secret\n', 'secret.service': UNIT})
  const root = await layer(t, {'var/lib': `-> ${outside}`, 'usr/lib/systemd/system': `-> ${outside}`})
  assert.deepEqual(readTreeServices([root], {others: ['secret.service']}), [])
})

test('a record without end is read up to a limit', async (t) => {
  const names = Array.from({length: 100_000}, (_, index) => `unit-${index}`)
  const root = await layer(t, {'var/lib/envs/would-start': names.join('\n')})
  for (const name of names.slice(0, 1000)) put(root, `etc/init.d/${name}`, '')
  assert.equal(readTreeServices([root]).length, 500)
})
