import assert from 'node:assert/strict'
import {test} from 'node:test'
import {sharedGuest} from '../../support/guest.js'

const play = sharedGuest('emulated')

const STEPS = '  try: envs undo play\n  Its files are still there: envs path play\n'

for (const [what, script, reason, hint] of [
  ['has no shell', 'rm /usr/bin/dash /usr/bin/sh', 'it has no /bin/sh any more.', ''],
  ['has no programs', 'mv /usr/bin /usr/programs', 'it has no /bin/sh any more.', ''],
  ['may not execute its shell', 'chmod 644 /usr/bin/dash', 'its /bin/sh may not be executed any more.', ''],
  [
    'has an empty shell',
    'cp --remove-destination /dev/null /usr/bin/dash; chmod 755 /usr/bin/dash',
    'its /bin/sh is empty.',
    '',
  ],
  [
    'has no C library',
    'rm /usr/lib/*/libc.so.6',
    '/bin/sh: error while loading shared libraries: libc.so.6: cannot open shared object file: No such file or directory',
    '  This host can start others: a file of this environment is missing or damaged.\n',
  ],
] as const) {
  test(`an environment that ${what} is explained by itself, and undo repairs it`, async () => {
    const {cli, sh, run} = await play()
    await cli.run('snapshot', 'play')
    await sh(script)
    await cli.run('stop', '--force', 'play')
    const broken = await run('true')
    assert.deepEqual(
      [broken.status, broken.stderr],
      [125, `envs: Could not start the environment "play": ${reason}\n${hint}${STEPS}`],
    )
    assert.equal((await cli.run('undo', 'play')).status, 0)
    assert.equal((await run('echo', 'works')).stdout, 'works\n')
  })
}
