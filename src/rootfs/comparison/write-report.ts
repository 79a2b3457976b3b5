import {classify, type FileGroup, type Surroundings} from './classify.js'
import type {Change} from './compare-stacks.js'
import {LEFT_OUT_GROUPS} from './file-group.js'
import {openGrowth} from './growth.js'
import {comparePrivileges} from './privileged.js'
import type {FileChange, LeftOut, TreeDifference} from './report.js'
import {compareServices} from './services.js'

/** Results of comparing two trees. */
export type Findings = {readonly changes: readonly Change[]; readonly surroundings: Surroundings}

type Report = Pick<
  TreeDifference,
  'conffiles' | 'files' | 'services' | 'privileged' | 'leftOut' | 'sizeBytes'
>

/** Writes the report, with texts for printing. */
export function writeReport(
  {changes, surroundings}: Findings,
  {listsAll}: {readonly listsAll: boolean},
): Report {
  const growthOf = openGrowth()
  const files = changes.map((change) =>
    describe(change, {
      group: classify(change, surroundings),
      sizeBytes: growthOf(change),
      package:
        surroundings.packages.get(change.path) ?? surroundings.conffiles.get(change.path)?.package ?? null,
    }),
  )
  const told = changes.filter((_, index) => files[index]?.group !== 'envs')
  return {
    conffiles: files.filter(({group}) => group === 'conffile'),
    files: files.filter(({group}) => group === 'other' || (listsAll && group !== 'conffile')),
    services: compareServices(told).map(({name, ...service}) => ({...service, name: decode(name)})),
    privileged: told.flatMap((change) => {
      const file = comparePrivileges(change)
      if (file === undefined) return []
      return [{...file, path: guestPath(file.path), package: surroundings.packages.get(file.path) ?? null}]
    }),
    leftOut: LEFT_OUT_GROUPS.flatMap((group) => countGroup(group, files)),
    sizeBytes: files.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0),
  }
}

function describe(
  {path, before, after, aspects}: Change,
  known: {group: FileGroup; sizeBytes: number; package: string | null},
): FileChange {
  return {
    path: guestPath(path),
    change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    kind: (after ?? before)?.kind ?? 'file',
    changed: aspects,
    ...known,
  }
}

function countGroup(group: LeftOut['group'], files: readonly FileChange[]): LeftOut[] {
  const those = files.filter((file) => file.group === group)
  if (those.length === 0) return []
  return [{group, files: those.length, sizeBytes: those.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)}]
}

function guestPath(path: string): string {
  return `/${decode(path)}`
}

/** Decodes a byte string. */
function decode(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}
