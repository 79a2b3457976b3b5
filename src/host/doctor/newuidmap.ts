import {stat} from 'node:fs/promises'
import type {Host} from '../host.js'
import {type Check, pass, warn} from './check.js'
import {installSteps} from './install-steps.js'
import {runTrial} from './trial.js'

const SETUID = 0o4000
/** The owner shown for an id that this user namespace does not map, most likely root. */
const UNMAPPED = 65_534

/** One of the two programs that map subordinate ids. */
export type MapperFacts = {
  readonly name: 'newuidmap' | 'newgidmap'
  /** Undefined if it was not found. */
  readonly path: string | undefined
  readonly isSetuid: boolean
  /** From getcap(8), as Fedora sets them instead of the setuid bit; undefined if unknown. */
  readonly capabilities: string | undefined
}

const NAMES = ['newuidmap', 'newgidmap'] as const

export async function checkNewuidmap(
  host: Pick<Host, 'which' | 'uid'>,
  distribution: string | undefined,
): Promise<Check> {
  const programs = await Promise.all(NAMES.map((name) => observe(host, name)))
  return judgeNewuidmap(programs, {distribution, uid: host.uid})
}

export function judgeNewuidmap(
  programs: readonly MapperFacts[],
  {distribution, uid}: {distribution: string | undefined; uid: number},
): Check {
  const missing = programs.filter(({path}) => path === undefined)
  const cost =
    'Environments are emulated: every file belongs to one id, and services that change their user do not work.'
  if (missing.length > 0) {
    return warn('newuidmap', {
      evidence: `Not found: ${missing.map(({name}) => name).join(', ')}.`,
      cost,
      remedy:
        'Ask an administrator to install the package uidmap, which holds newuidmap and newgidmap, setuid root.',
      request: {
        steps: installSteps(distribution, 'uidmap'),
        opens:
          'Two setuid programs of the shadow suite let users map the ids of their lines in /etc/subuid and /etc/subgid, and no others.',
      },
    })
  }
  const powerless = uid === 0 ? [] : programs.filter(isPowerless)
  if (powerless.length > 0) {
    const paths = powerless.map(({path}) => path).join(' ')
    return warn('newuidmap', {
      evidence: `Neither setuid nor with capabilities: ${paths}.`,
      cost,
      remedy: `Ask an administrator for the setuid bit of ${paths}.`,
      request: {
        steps: [`chmod u+s ${paths}`],
        opens: 'Users may map the ids of their lines in /etc/subuid and /etc/subgid, and no others.',
      },
    })
  }
  return pass('newuidmap', `${programs.map(describe).join(', ')}.`)
}

function describe({path, isSetuid, capabilities}: MapperFacts): string {
  return `${path} (${isSetuid ? 'setuid' : capabilities || 'its capabilities are not known'})`
}

/** A program with unknown capabilities passes: the trial of a range decides. */
function isPowerless({isSetuid, capabilities}: MapperFacts): boolean {
  return !isSetuid && capabilities === ''
}

async function observe({which}: Pick<Host, 'which'>, name: MapperFacts['name']): Promise<MapperFacts> {
  const path = which(name)
  if (path === undefined) return {name, path, isSetuid: false, capabilities: undefined}
  const {mode, uid} = await stat(path)
  const getcap = which('getcap')
  const told = getcap && (await runTrial([getcap, path]))
  return {
    name,
    path,
    isSetuid: (mode & SETUID) !== 0 && (uid === 0 || uid === UNMAPPED),
    capabilities: told && told.status === 0 ? told.stdout.replace(path, '').trim() : undefined,
  }
}
