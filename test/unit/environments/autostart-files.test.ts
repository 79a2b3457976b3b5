import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  type BootLine,
  crontabWith,
  crontabWithout,
  hasCrontabLine,
  unitText,
} from '../../../src/environments/boot/autostart-files.js'

const LINE: BootLine = {
  name: 'play',
  program: '/opt/50% "off"/bin/envs',
  attendant: ['/usr/bin/perl', '/opt/$x/attend.pl'],
  runFolder: '/home/u/run',
  variables: [
    ['PATH', '/usr/bin'],
    ['ENVS_HOME', "/home/o'neil/100%"],
  ],
}

test('a unit has the words of its command line and its variables as systemd reads them', () => {
  const lines = unitText(LINE).split('\n')
  assert.deepEqual(
    lines.filter((line) => /^(?:Exec|Environment)/.test(line)),
    [
      'Environment="PATH=/usr/bin"',
      `Environment="ENVS_HOME=/home/o'neil/100%%"`,
      'ExecStart="/usr/bin/perl" "/opt/$$x/attend.pl" "/opt/50%% \\"off\\"/bin/envs" "play" "/home/u/run"',
    ],
  )
})

test('a unit starts again after a reboot inside and after a kill, not after a stop', () => {
  const lines = unitText(LINE).split('\n')
  assert.deepEqual(
    lines.filter((line) => /ExitStatus=|^Restart=/.test(line)),
    ['Restart=on-failure', 'RestartForceExitStatus=133', 'SuccessExitStatus=0 130'],
  )
})

test('a crontab keeps its other lines, and has one line of an environment', () => {
  const own = '# mine\n5 4 * * * backup # envs autostart play\n'
  const line = `@reboot PATH='/usr/bin' ENVS_HOME='/home/o'\\''neil/100\\%' '/opt/50\\% "off"/bin/envs' start --quiet play >/dev/null 2>&1 # envs autostart play\n`
  const once = crontabWith(own, LINE)
  assert.equal(once, own + line)
  assert.equal(crontabWith(once, LINE), once)
  assert.equal(crontabWith('# no end', LINE), `# no end\n${line}`)
  assert.equal(crontabWith('', LINE), line)
  assert.deepEqual(
    ['play', 'pla', 'other'].map((name) => hasCrontabLine(once, name)),
    [true, false, false],
  )
  assert.equal(crontabWithout(once, 'play'), own)
  assert.equal(crontabWithout(once, 'other'), once)
})
