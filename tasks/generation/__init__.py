"""Generation: reports and features in; captions, perturbations, questions and reasoning samples out."""
