//! AWS's rules once: ELBv2, CloudWatch, the table, the States Language engine and events; pure and synchronous.
