package api

// registerRoutes registers every route: one line per resource.
func registerRoutes(a *api) {
	registerSystem(a)
	registerValues(a)
	registerLogLevel(a)
	registerBundle(a)
	registerBackup(a)
	registerAudit(a)
	registerOperate(a)
	registerOrders(a)
	registerPlant(a)
	registerRevisions(a)
	registerObjects(a)
	registerSecrets(a)
	registerIdentity(a)
	registerKinds(a)
	registerBulk(a)
	registerTables(a)
	registerAddresses(a)
	registerOutbound(a)
	registerLinks(a)
	registerTrace(a)
	registerConnectorState(a)
	registerConnectorTest(a)
}
