// Functions without a body, linked by name, are allowed only in a package that has assembly, which the others of this one have not on every architecture.
