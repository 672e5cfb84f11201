# One image for the controller and for EventSource Pods: Node and the compiled code, no shell, no package manager, not root.
# test/image.test.ts replays these steps without Docker. `tools/base-images.ts` writes the digests of the base images here, and `--check` refuses
# a tag without one.

FROM node:26-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json tsconfig.json tsconfig.build.json ./
COPY tools/node ./tools/node
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY src ./src
COPY tools/trim.ts ./tools/trim.ts
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund && rm -rf node_modules/.cache node_modules/.package-lock.json
RUN node tools/trim.ts node_modules

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /src/package.json /app/package.json
COPY --from=build /src/node_modules /app/node_modules
COPY --from=build /src/dist /app/dist
COPY LICENSE /app/LICENSE
ENV NODE_ENV=production
USER 9731:9731
WORKDIR /tmp
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/cli/main.js"]
