/** The processes of a run, found by what the system says of them: status may not answer just now. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Rig } from '../faults/rig.ts'

export interface Processes {
  supervisor: number
  bus: number | null
  hosts: number[]
}

export async function processesOf({ supervisor }: Pick<Rig, 'supervisor'>): Promise<Processes> {
  const children = (await listed()).filter(({ parent }) => parent === supervisor.pid)
  const isHost = ({ command }: Listed) => /\/local\/host\.[jt]s/.test(command)
  // What cleans up or checks has other names.
  const bus = children.find((one) => !isHost(one) && /\/bus\//.test(one.command))
  return {
    supervisor: supervisor.pid!,
    bus: bus?.pid ?? null,
    hosts: children.filter(isHost).map(({ pid }) => pid),
  }
}

interface Listed {
  pid: number
  parent: number
  /** Resident, KiB. */
  memory: number
  command: string
}

async function listed(): Promise<Listed[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,ppid=,rss=,args='], {
    maxBuffer: 2 ** 26,
  })
  return stdout.split('\n').flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line)
    if (found === null) return []
    const [, pid, parent, memory, command] = found as unknown as [string, string, string, string, string]
    return [{ pid: Number(pid), parent: Number(parent), memory: Number(memory), command }]
  })
}

/** The largest process of the run, resident, MiB. */
export async function largestOf({ supervisor }: Pick<Rig, 'supervisor'>): Promise<number> {
  const own = (await listed()).filter(({ pid, parent }) => pid === supervisor.pid || parent === supervisor.pid)
  return Math.round(Math.max(0, ...own.map(({ memory }) => memory)) / 1024)
}
