# Container image of the gateway: the built program and the packages that it cannot bundle. Runs as a non-root user.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY packages/swapface/package.json ./packages/swapface/
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY scripts ./scripts
COPY src ./src
COPY packages/swapface ./packages/swapface
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-slim
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/packages/swapface/package.json ./packages/swapface/
COPY --from=build /app/packages/swapface/dist ./packages/swapface/dist
COPY --from=build /app/packages/swapface/portraits ./packages/swapface/portraits
COPY schema ./schema
# A new volume gets the owner of its mount point.
RUN mkdir /data /images && chown node:node /data /images
USER node
# On 0.0.0.0 the gateway refuses to start without API_KEYS (or JWTs) and GATEWAY_SECRET.
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
VOLUME /data
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 4000}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "dist/main.js"]
