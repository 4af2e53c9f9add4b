"""The contracts that the stages meet through: records, Arrow schemas, errors, rejection reasons."""
