/** Debian's packages unpacked into the cache: nothing is installed on the machine, and no root is needed. */
import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { serversDir } from './cache.ts'

/**
 * Unpacks a package into `<cache>/<dir>`, and with it every package it needs that this machine does not have.
 * @throws when apt-get or dpkg is missing, or a package cannot be had
 */
export function unpackDebian(dir: string, name: string): void {
  const target = join(serversDir(), dir)
  mkdirSync(target, { recursive: true })
  const download = () => {
    const plan = execFileSync('apt-get', ['-s', 'install', '--no-install-recommends', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const needed = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, one]) => one!)
    const packages = [...new Set([...needed, name])]
    execFileSync('apt-get', ['download', ...packages], { cwd: target, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  try {
    download()
  } catch {
    execFileSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'] })
    download()
  }
  for (const file of readdirSync(target).filter((one) => one.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', join(target, file), target])
    rmSync(join(target, file))
  }
}

/** The environment in which a program finds the libraries that were unpacked beside it. */
export function debianLibraries(dir: string): { LD_LIBRARY_PATH: string } {
  const root = join(serversDir(), dir)
  const folders = globSync(['usr/lib/*-linux-gnu', 'lib/*-linux-gnu'], { cwd: root }).map((path) => join(root, path))
  return { LD_LIBRARY_PATH: folders.join(':') }
}
