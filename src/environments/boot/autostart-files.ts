/** The facts of an environment that starts with the host. */
export type BootLine = {
  readonly name: string
  /** Absolute path of `bin/envs`. */
  readonly program: string
  /** Argv prefix of templates/host/attend.pl. */
  readonly attendant: readonly string[]
  readonly runFolder: string
  readonly variables: readonly (readonly [name: string, value: string])[]
}

/**
 * Returns the unit of a user manager. Delegate: the init of the environment gets a control group of its own. 133 is a reboot inside; 137,
 * a killed environment, is a failure: after "envs stop --force" the attendant ends with 0.
 *
 * @see systemd.service(5), systemd.kill(5), systemd.resource-control(5)
 */
export function unitText({name, program, attendant, runFolder, variables}: BootLine): string {
  return `# Made by "envs autostart ${name} on"; to remove it: envs autostart ${name} off
[Unit]
Description=Environment ${name} of envs

[Service]
Type=exec
Delegate=yes
KillMode=mixed
TimeoutStopSec=100
Restart=on-failure
RestartSec=5
RestartForceExitStatus=133
SuccessExitStatus=0 130
${variables.map(([key, value]) => `Environment=${quoteForUnit(`${key}=${value}`)}\n`).join('')}\
ExecStart=${[...attendant, program, name, runFolder].map((word) => quoteForUnit(word).replaceAll('$', '$$$$')).join(' ')}

[Install]
WantedBy=default.target
`
}

/** @see systemd.syntax(7), systemd.unit(5) on specifiers */
function quoteForUnit(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`
}

/** Ends the line of an environment in a crontab; a name has no space. */
const mark = (name: string) => `# envs autostart ${name}`

/** Returns a crontab with a line that starts an environment at the boot of the host, in place of an older one. @see crontab(5) */
export function crontabWith(crontab: string, {name, program, variables}: BootLine): string {
  const words = [...variables.map(([key, value]) => `${key}=${quoteForShell(value)}`), quoteForShell(program)]
  // A percent sign would end the command.
  const command = `${words.join(' ')} start --quiet ${name} >/dev/null 2>&1`.replaceAll('%', '\\%')
  const before = crontabWithout(crontab, name)
  return `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}@reboot ${command} ${mark(name)}\n`
}

/** Returns a crontab without the line of an environment. */
export function crontabWithout(crontab: string, name: string): string {
  return crontab
    .split('\n')
    .filter((line) => !isOf(line, name))
    .join('\n')
}

export function hasCrontabLine(crontab: string, name: string): boolean {
  return crontab.split('\n').some((line) => isOf(line, name))
}

function isOf(line: string, name: string): boolean {
  return line.startsWith('@reboot ') && line.endsWith(` ${mark(name)}`)
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
